// The client offers all that OpenSSL still has (TLS 1.0 on, security level 0): a server that is
// too old to be trusted still serves a certificate worth seeing. Nothing is sent over the
// connection but the handshake and its closing.
#include "agent/world/tls_probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "acme/identifier.h"
#include "agent/world/sockets.h"
#include "agent/world/starttls.h"
#include "agent/world/system_error.h"

namespace nolapse {
namespace {

constexpr std::size_t most_probes = 64;  // each holds a descriptor

// By what a client can verify, a server chooses its certificate. [RFC 8446 §4.4.2.2]
constexpr const char* rsa_signatures =
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA1";
constexpr const char* ecdsa_signatures = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1";

using SslPointer = std::unique_ptr<SSL, decltype(&SSL_free)>;

std::string to_der(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

// Whatever the certificate is, the handshake goes on.
int accept_any(X509_STORE_CTX*, void*) {
  return 1;
}

std::string describe_openssl_failure() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  const bool not_tls = ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                       ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
  ERR_clear_error();
  if (code != 0 && not_tls) return "what answers there does not speak TLS";
  return reason != nullptr ? std::string("the TLS handshake failed: ") + reason
                           : "the TLS handshake failed";
}

}  // namespace

struct SocketTlsProbe::Context {
  Context() : ssl(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
    SSL_CTX_set_security_level(ssl.get(), 0);
    SSL_CTX_set_min_proto_version(ssl.get(), TLS1_VERSION);
    SSL_CTX_set_session_cache_mode(ssl.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cert_verify_callback(ssl.get(), &accept_any, nullptr);
    SSL_CTX_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> ssl;
};

struct SocketTlsProbe::Attempt {
  ProbeRequest request;
  std::function<void(ProbeReply)> done;
  Clock::TimerId timer = 0;
  TrustStore trust_store;
  UniqueFd fd;
  std::optional<StartTls> dialogue;
  StartTls::Step step;
  SslPointer ssl{nullptr, &SSL_free};  // destroyed before the socket it uses
  ProbeReply reply;
};

SocketTlsProbe::SocketTlsProbe(EventLoop& loop, TrustStores& trust_stores)
    : loop_(loop),
      trust_stores_(trust_stores),
      context_(std::make_unique<Context>()),
      slots_(most_probes) {}

SocketTlsProbe::~SocketTlsProbe() {
  for (const auto& [id, attempt] : attempts_) {
    loop_.cancel_timer(attempt->timer);
    loop_.unwatch(attempt->fd.get());
  }
}

void SocketTlsProbe::probe(ProbeRequest request, std::function<void(ProbeReply)> done) {
  const std::uint64_t id = next_id_++;
  auto attempt = std::make_unique<Attempt>();
  attempt->request = std::move(request);
  attempt->done = std::move(done);
  attempts_.emplace(id, std::move(attempt));
  slots_.enter([this, id] { begin(id); });
}

void SocketTlsProbe::begin(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  attempt.timer = loop_.start_timer(attempt.request.timeout, [this, id] { time_out(id); });
  trust_stores_.get(attempt.request.roots_file, [this, id](Result<TrustStore> store) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    // Without anchors the look is still worth it; the reply says why nothing validates.
    if (store) {
      found->second->trust_store = std::move(*store);
    } else {
      found->second->reply.chain_error = store.error().message;
    }
    connect(id);
  });
}

void SocketTlsProbe::connect(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  const auto peer = SocketAddress::make(attempt.request.address, attempt.request.port);
  if (!peer) {
    return finish(id, ProbeReply::Outcome::unreachable,
                  "\"" + attempt.request.address + "\" is not an IP address");
  }
  attempt.fd = open_socket(peer->family(), SocketKind::stream);
  const int error_number = attempt.fd ? start_connecting(attempt.fd.get(), *peer) : errno;
  if (error_number != 0) {
    return finish(id, ProbeReply::Outcome::unreachable, describe_errno(error_number));
  }
  loop_.watch(attempt.fd.get(), EventLoop::writable, [this, id](unsigned) { on_connected(id); });
}

void SocketTlsProbe::on_connected(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  if (const int error_number = connect_result(attempt.fd.get())) {
    return finish(id, ProbeReply::Outcome::unreachable, describe_errno(error_number));
  }
  if (attempt.request.starttls.empty()) return begin_tls(id);
  attempt.dialogue.emplace(attempt.request.starttls);
  attempt.step = attempt.dialogue->begin();
  talk(id);
}

// Says what is to be said, and listens again. These words are few: a socket that takes only a part
// of them is no server worth waiting for.
void SocketTlsProbe::talk(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  const StartTls::Step step = std::exchange(attempt.step, {});
  if (!step.fault.empty()) return finish(id, ProbeReply::Outcome::no_handshake, step.fault);
  if (!step.send.empty() && ::send(attempt.fd.get(), step.send.data(), step.send.size(),
                                   MSG_NOSIGNAL) != static_cast<ssize_t>(step.send.size())) {
    return finish(id, ProbeReply::Outcome::no_handshake, "the connection broke before TLS");
  }
  if (step.ready) return begin_tls(id);
  loop_.watch(attempt.fd.get(), EventLoop::readable, [this, id](unsigned) { listen(id); });
}

void SocketTlsProbe::listen(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(attempt.fd.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    return finish(id, ProbeReply::Outcome::no_handshake,
                  "the server closed the connection before TLS began");
  }
  attempt.step = attempt.dialogue->receive({buffer.data(), static_cast<std::size_t>(count)});
  talk(id);
}

void SocketTlsProbe::begin_tls(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  attempt.ssl.reset(SSL_new(context_->ssl.get()));
  SSL_set_fd(attempt.ssl.get(), attempt.fd.get());
  const std::string& name = attempt.request.server_name;
  if (!name.empty() && acme::canonical_address(name).empty()) {
    SSL_set_tlsext_host_name(attempt.ssl.get(), name.c_str());
  }
  const std::string& protocol = attempt.request.application_protocol;
  if (!protocol.empty()) {
    const std::string list = static_cast<char>(protocol.size()) + protocol;
    SSL_set_alpn_protos(attempt.ssl.get(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  if (!attempt.request.key_kind.empty()) {
    SSL_set1_sigalgs_list(attempt.ssl.get(),
                          attempt.request.key_kind == "rsa" ? rsa_signatures : ecdsa_signatures);
  }
  shake_hands(id);
}

void SocketTlsProbe::shake_hands(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  ERR_clear_error();
  errno = 0;
  const int result = SSL_connect(attempt.ssl.get());
  const int error_number = errno;
  if (result == 1) return on_handshake(id);
  const int ssl_error = SSL_get_error(attempt.ssl.get(), result);
  if (ssl_error != SSL_ERROR_WANT_READ && ssl_error != SSL_ERROR_WANT_WRITE) {
    return on_handshake_failure(id, ssl_error, error_number);
  }
  loop_.watch(attempt.fd.get(),
              ssl_error == SSL_ERROR_WANT_READ ? EventLoop::readable : EventLoop::writable,
              [this, id](unsigned) { shake_hands(id); });
}

void SocketTlsProbe::on_handshake_failure(std::uint64_t id, int ssl_error, int error_number) {
  std::string detail;
  if (ssl_error == SSL_ERROR_SYSCALL && error_number != 0) {
    detail = "the connection broke during the TLS handshake: " + describe_errno(error_number);
  } else if (ssl_error == SSL_ERROR_SYSCALL || ssl_error == SSL_ERROR_ZERO_RETURN ||
             ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    detail = "the server closed the connection during the TLS handshake";
  } else {
    detail = describe_openssl_failure();
  }
  ERR_clear_error();
  finish(id, ProbeReply::Outcome::no_handshake, std::move(detail));
}

void SocketTlsProbe::on_handshake(std::uint64_t id) {
  Attempt& attempt = *attempts_.at(id);
  std::vector<X509*> chain;
  if (STACK_OF(X509)* const served = SSL_get_peer_cert_chain(attempt.ssl.get())) {
    for (int i = 0; i < sk_X509_num(served); ++i) chain.push_back(sk_X509_value(served, i));
  }
  for (X509* certificate : chain) attempt.reply.chain_der.push_back(to_der(certificate));
  if (attempt.trust_store.anchors) {
    const std::string& name = attempt.request.server_name;
    attempt.reply.chain_error =
        chain_error(attempt.trust_store, chain, name.empty() ? attempt.request.address : name);
  }
  SSL_shutdown(attempt.ssl.get());  // says goodbye; the answer is not waited for
  ERR_clear_error();
  finish(id, ProbeReply::Outcome::handshake, {});
}

void SocketTlsProbe::time_out(std::uint64_t id) {
  const Attempt& attempt = *attempts_.at(id);
  const std::string within = " within " + acme::format_duration(attempt.request.timeout);
  if (attempt.ssl || attempt.dialogue) {
    finish(id, ProbeReply::Outcome::no_handshake, "connected, but no TLS handshake" + within);
  } else {
    finish(id, ProbeReply::Outcome::unreachable,
           (attempt.fd ? "no answer" : "the trust anchors were not read") + within);
  }
}

void SocketTlsProbe::finish(std::uint64_t id, ProbeReply::Outcome outcome, std::string detail) {
  const auto attempt = std::move(attempts_.extract(id).mapped());
  loop_.cancel_timer(attempt->timer);
  loop_.unwatch(attempt->fd.get());
  attempt->ssl.reset();
  attempt->fd.reset();
  attempt->reply.outcome = outcome;
  if (outcome != ProbeReply::Outcome::handshake) {
    attempt->reply.chain_error.clear();
    const auto peer = SocketAddress::make(attempt->request.address, attempt->request.port);
    attempt->reply.detail = peer ? peer->text() + ": " + detail : std::move(detail);
  }
  slots_.leave();
  attempt->done(std::move(attempt->reply));
}

}  // namespace nolapse
