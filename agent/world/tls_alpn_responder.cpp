// The decision falls in OpenSSL's ClientHello callback, before anything is negotiated: there both
// extensions can be seen as the client sent them, whatever the library would make of them.
#include "agent/world/tls_alpn_responder.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <list>
#include <set>

#include "acme/tls_alpn_certificate.h"
#include "agent/world/system_error.h"

namespace nolapse {
namespace {

using SslPointer = std::unique_ptr<SSL, decltype(&SSL_free)>;
using ContextPointer = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using CertificatePointer = std::unique_ptr<X509, decltype(&X509_free)>;

// 0 where an octet is missing.
std::size_t number_at(std::string_view octets, std::size_t at, std::size_t size) {
  std::size_t number = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    number = number << 8 | (i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0);
  }
  return number;
}

std::string_view extension(SSL* ssl, unsigned type) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, type, &data, &size) != 1) return {};
  return {reinterpret_cast<const char*>(data), size};
}

// One name of type host_name and nothing else; in lower case, without a trailing dot.
// [RFC 6066 §3]
std::string server_name(std::string_view octets) {
  constexpr std::size_t overhead = 5;  // length of the list, type, length of the name
  if (octets.size() <= overhead || number_at(octets, 0, 2) != octets.size() - 2 ||
      octets[2] != TLSEXT_NAMETYPE_host_name ||
      number_at(octets, 3, 2) != octets.size() - overhead) {
    return {};
  }
  std::string name(octets.substr(overhead));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.ends_with('.')) name.pop_back();
  return name;
}

// Exactly one protocol, ours. [RFC 8737 §3, RFC 7301 §3.1]
bool offers_only_acme(std::string_view octets) {
  constexpr std::string_view protocol = acme::tls_alpn_protocol;
  return octets.size() == protocol.size() + 3 && number_at(octets, 0, 2) == protocol.size() + 1 &&
         number_at(octets, 2, 1) == protocol.size() && octets.substr(3) == protocol;
}

int select_acme(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char*,
                unsigned, void*) {
  *out = reinterpret_cast<const unsigned char*>(acme::tls_alpn_protocol.data());
  *out_size = static_cast<unsigned char>(acme::tls_alpn_protocol.size());
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

class SocketTlsAlpnResponder::Listener {
 public:
  Listener(EventLoop& loop, const Limits& limits, UniqueFd socket);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  Result<void> put(const std::string& name, const std::string& certificate_der,
                   const acme::PrivateKey& key);
  unsigned remove(const std::string& name, const std::string& certificate_der);
  bool empty() const { return served_.empty(); }

 private:
  struct Served {
    std::string name;
    std::string certificate_der;
    CertificatePointer certificate{nullptr, &X509_free};
    acme::PrivateKey key = {};
    unsigned shown = 0;
  };
  struct Connection {
    UniqueFd fd;
    SslPointer ssl{nullptr, &SSL_free};
    Clock::TimerId timer = 0;
  };
  using Connections = std::list<Connection>;

  static int on_client_hello(SSL* ssl, int* alert, void* self);
  void accept_all();
  void advance(Connections::iterator connection);
  void end(Connections::iterator connection);

  EventLoop& loop_;
  const Limits limits_;
  UniqueFd socket_;
  ContextPointer context_;
  std::vector<Served> served_;  // oldest first
  Connections connections_;
};

SocketTlsAlpnResponder::Listener::Listener(EventLoop& loop, const Limits& limits, UniqueFd socket)
    : loop_(loop),
      limits_(limits),
      socket_(std::move(socket)),
      context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context_.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_client_hello_cb(context_.get(), &Listener::on_client_hello, this);
  SSL_CTX_set_alpn_select_cb(context_.get(), &select_acme, nullptr);
  loop_.watch(socket_.get(), EventLoop::readable, [this](unsigned) { accept_all(); });
}

SocketTlsAlpnResponder::Listener::~Listener() {
  loop_.unwatch(socket_.get());
  while (!connections_.empty()) end(connections_.begin());
}

Result<void> SocketTlsAlpnResponder::Listener::put(const std::string& name,
                                                   const std::string& certificate_der,
                                                   const acme::PrivateKey& key) {
  const auto* data = reinterpret_cast<const unsigned char*>(certificate_der.data());
  Served served{name, certificate_der};
  served.certificate.reset(d2i_X509(nullptr, &data, static_cast<long>(certificate_der.size())));
  served.key = key;
  if (!served.certificate || X509_check_private_key(served.certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::local, "LISTEN_FAILED",
                "the validation certificate for " + name + " cannot be served");
  }
  served_.push_back(std::move(served));
  return {};
}

unsigned SocketTlsAlpnResponder::Listener::remove(const std::string& name,
                                                  const std::string& certificate_der) {
  const auto found = std::find_if(served_.begin(), served_.end(), [&](const Served& served) {
    return served.name == name && served.certificate_der == certificate_der;
  });
  if (found == served_.end()) return 0;
  const unsigned shown = found->shown;
  served_.erase(found);
  return shown;
}

int SocketTlsAlpnResponder::Listener::on_client_hello(SSL* ssl, int* alert, void* self) {
  auto& listener = *static_cast<Listener*>(self);
  if (!offers_only_acme(extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation))) {
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
  }
  const std::string name = server_name(extension(ssl, TLSEXT_TYPE_server_name));
  const auto newest = std::find_if(listener.served_.rbegin(), listener.served_.rend(),
                                   [&](const Served& served) { return served.name == name; });
  if (name.empty() || newest == listener.served_.rend()) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
  }
  if (SSL_use_certificate(ssl, newest->certificate.get()) != 1 ||
      SSL_use_PrivateKey(ssl, newest->key.get()) != 1) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
  ++newest->shown;
  return SSL_CLIENT_HELLO_SUCCESS;
}

void SocketTlsAlpnResponder::Listener::accept_all() {
  constexpr int most_at_once = 32;  // then the others of the loop get their turn
  for (int i = 0; i < most_at_once; ++i) {
    UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    // The oldest has had the most time to finish.
    if (connections_.size() >= limits_.connections) end(connections_.begin());
    const auto connection = connections_.insert(connections_.end(), Connection{});
    connection->fd = std::move(fd);
    connection->ssl.reset(SSL_new(context_.get()));
    SSL_set_fd(connection->ssl.get(), connection->fd.get());
    connection->timer = loop_.start_timer(limits_.age, [this, connection] { end(connection); });
    advance(connection);
  }
}

void SocketTlsAlpnResponder::Listener::advance(Connections::iterator connection) {
  ERR_clear_error();
  const int result = SSL_accept(connection->ssl.get());
  const int error = SSL_get_error(connection->ssl.get(), result);
  ERR_clear_error();
  if (result == 1) SSL_shutdown(connection->ssl.get());
  if (result == 1 || (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)) {
    return end(connection);
  }
  loop_.watch(connection->fd.get(),
              error == SSL_ERROR_WANT_READ ? EventLoop::readable : EventLoop::writable,
              [this, connection](unsigned) { advance(connection); });
}

void SocketTlsAlpnResponder::Listener::end(Connections::iterator connection) {
  loop_.cancel_timer(connection->timer);
  loop_.unwatch(connection->fd.get());
  connections_.erase(connection);
}

SocketTlsAlpnResponder::SocketTlsAlpnResponder(EventLoop& loop, PassedSockets passed, Limits limits)
    : loop_(loop), passed_(std::move(passed)), limits_(limits) {}

SocketTlsAlpnResponder::~SocketTlsAlpnResponder() = default;

Result<void> SocketTlsAlpnResponder::serve(const std::string& listen, const std::string& name,
                                           const std::string& certificate_der,
                                           const acme::PrivateKey& key) {
  auto& listener = listeners_[listen];
  if (!listener) {
    auto socket = listening_socket(listen, passed_);
    if (!socket) {
      listeners_.erase(listen);
      return fail(std::move(socket).error());
    }
    listener = std::make_unique<Listener>(loop_, limits_, std::move(*socket));
  }
  auto put = listener->put(name, certificate_der, key);
  if (listener->empty()) listeners_.erase(listen);
  return put;
}

unsigned SocketTlsAlpnResponder::withdraw(const std::string& listen, const std::string& name,
                                          const std::string& certificate_der) {
  const auto found = listeners_.find(listen);
  if (found == listeners_.end()) return 0;
  const unsigned shown = found->second->remove(name, certificate_der);
  if (found->second->empty()) listeners_.erase(found);
  return shown;
}

}  // namespace nolapse
