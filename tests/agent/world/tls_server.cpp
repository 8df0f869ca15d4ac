#include "tests/agent/world/tls_server.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

namespace nolapse {
namespace {

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

UniqueFd listen_on_loopback(int& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  ::listen(fd.get(), 16);
  port = ntohs(address.sin_port);
  return fd;
}

bool wait_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 10) > 0;
}

// How long the first request in `buffer` is with its body; 0 when it is not complete.
std::size_t request_size(const std::string& buffer) {
  const auto end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  std::size_t body = 0;
  const auto length = buffer.find("Content-Length: ");
  if (length < end) body = std::stoul(buffer.substr(length + 16));
  return buffer.size() >= end + 4 + body ? end + 4 + body : 0;
}

}  // namespace

std::string TestCertificate::pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(memory.get(), certificate.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string TestCertificate::der() const {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate.get(), &data);
  const std::string result(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return result;
}

TestCertificate make_certificate(const TestCertificate* issuer, const std::string& common_name,
                                 const std::string& subject_alternative_names,
                                 long valid_for_seconds) {
  TestCertificate result;
  result.key = {EVP_EC_gen("P-256"), &EVP_PKEY_free};
  result.certificate = {X509_new(), &X509_free};
  X509* const certificate = result.certificate.get();
  X509* const issuer_certificate = issuer != nullptr ? issuer->certificate.get() : certificate;
  static std::atomic<long> serial{1000};
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * 86400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), valid_for_seconds);
  X509_set_pubkey(certificate, result.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate));
  if (subject_alternative_names.empty()) {
    add_extension(certificate, issuer_certificate, NID_basic_constraints, "critical,CA:TRUE");
  } else {
    add_extension(certificate, issuer_certificate, NID_subject_alt_name,
                  subject_alternative_names.c_str());
  }
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : result.key.get(), EVP_sha256());
  return result;
}

TlsTestServer::TlsTestServer(const std::vector<TestCertificate>& chain, Handler handler)
    : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free), handler_(std::move(handler)) {
  SSL_CTX_use_certificate(context_.get(), chain.front().certificate.get());
  SSL_CTX_use_PrivateKey(context_.get(), chain.front().key.get());
  for (std::size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(context_.get(), chain[i].certificate.get());
  }
  SSL_CTX_set_tlsext_servername_callback(context_.get(), &TlsTestServer::on_client_hello);
  SSL_CTX_set_tlsext_servername_arg(context_.get(), this);
  listener_ = listen_on_loopback(port_);
  acceptor_ = std::thread([this] { accept_connections(); });
}

TlsTestServer::~TlsTestServer() {
  ending_ = true;
  acceptor_.join();
  for (auto& thread : threads_) thread.join();
}

// Before the server's part of the handshake, so that the client cannot be done earlier.
int TlsTestServer::on_client_hello(SSL* ssl, int*, void* self) {
  auto& server = *static_cast<TlsTestServer*>(self);
  const std::lock_guard lock(server.mutex_);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  server.server_name_ = name != nullptr ? name : "";
  return SSL_TLSEXT_ERR_OK;
}

std::string TlsTestServer::server_name() const {
  const std::lock_guard lock(mutex_);
  return server_name_;
}

void TlsTestServer::accept_connections() {
  while (!ending_) {
    if (!wait_readable(listener_.get())) continue;
    const int connection = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    ++connections_;
    threads_.emplace_back([this, connection] { serve(connection); });
  }
}

void TlsTestServer::serve(int connection) {
  const UniqueFd owner(connection);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
  const timeval patience{2, 0};
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  SSL_set_fd(ssl.get(), connection);
  if (SSL_accept(ssl.get()) == 1) {
    serve_requests(ssl.get(), connection);
    SSL_shutdown(ssl.get());
  }
  ERR_clear_error();
}

void TlsTestServer::serve_requests(SSL* ssl, int connection) {
  std::string buffer;
  while (!ending_) {
    if (SSL_pending(ssl) == 0 && !wait_readable(connection)) continue;
    std::array<char, 4096> chunk;
    const int count = SSL_read(ssl, chunk.data(), static_cast<int>(chunk.size()));
    if (count <= 0) return;
    buffer.append(chunk.data(), static_cast<std::size_t>(count));
    while (const std::size_t size = request_size(buffer)) {
      const auto response = handler_(buffer.substr(0, size));
      buffer.erase(0, size);
      if (!response) return;
      if (SSL_write(ssl, response->data(), static_cast<int>(response->size())) <= 0) return;
    }
  }
}

std::string http_ok(const std::string& body, const std::string& header_lines) {
  return "HTTP/1.1 200 OK\r\n" + header_lines + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

PlainTestServer::PlainTestServer(std::string greeting, bool silent)
    : greeting_(std::move(greeting)), silent_(silent) {
  listener_ = listen_on_loopback(port_);
  thread_ = std::thread([this] { serve(); });
}

PlainTestServer::~PlainTestServer() {
  ending_ = true;
  thread_.join();
}

std::string PlainTestServer::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

void PlainTestServer::serve() {
  std::vector<UniqueFd> kept;
  while (!ending_) {
    if (!wait_readable(listener_.get())) continue;
    UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (wait_readable(connection.get()) || wait_readable(connection.get())) {
      std::array<char, 4096> buffer;
      const auto count = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
      const std::lock_guard lock(mutex_);
      if (count > 0) received_.assign(buffer.data(), static_cast<std::size_t>(count));
    }
    ::send(connection.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL);
    if (silent_) kept.push_back(std::move(connection));
  }
}

int unused_port() {
  int port = 0;
  listen_on_loopback(port);
  return port;
}

}  // namespace nolapse
