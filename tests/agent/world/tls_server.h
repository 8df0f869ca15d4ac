// A certificate authority and a TLS server on loopback, for the probe and the HTTP transport.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/world/unique_fd.h"

typedef struct x509_st X509;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace nolapse {

struct TestCertificate {
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;

  std::string pem() const;
  std::string der() const;
};

// The issuer is null for a self-signed one. `subject_alternative_names` as OpenSSL's
// configuration writes them ("DNS:a.example,IP:127.0.0.1"); empty makes it a CA.
TestCertificate make_certificate(const TestCertificate* issuer, const std::string& common_name,
                                 const std::string& subject_alternative_names,
                                 long valid_for_seconds = 86400);

class TlsTestServer {
 public:
  // From one request (head and body) to the octets of the response; runs on a thread of the
  // server. Nothing closes the connection.
  using Handler = std::function<std::optional<std::string>(const std::string& request)>;

  // `chain` is what is served, leaf first.
  TlsTestServer(const std::vector<TestCertificate>& chain, Handler handler);
  ~TlsTestServer();
  TlsTestServer(const TlsTestServer&) = delete;
  TlsTestServer& operator=(const TlsTestServer&) = delete;

  int port() const { return port_; }
  int connections() const { return connections_; }
  std::string server_name() const;  // what the last client asked for by SNI

 private:
  static int on_client_hello(SSL* ssl, int* alert, void* self);
  void accept_connections();
  void serve(int connection);
  void serve_requests(SSL* ssl, int connection);

  std::shared_ptr<SSL_CTX> context_;
  Handler handler_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::string server_name_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// "HTTP/1.1 200 OK" with this body and these additional header lines.
std::string http_ok(const std::string& body, const std::string& header_lines = "");

// A plain TCP listener on loopback. It accepts, says `greeting` and then what `silent` says:
// nothing for ever, or closes.
class PlainTestServer {
 public:
  PlainTestServer(std::string greeting, bool silent);
  ~PlainTestServer();
  PlainTestServer(const PlainTestServer&) = delete;
  PlainTestServer& operator=(const PlainTestServer&) = delete;

  int port() const { return port_; }
  std::string received() const;  // by the last connection

 private:
  void serve();

  const std::string greeting_;
  const bool silent_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  std::string received_;
  std::thread thread_;
};

// A loopback port that nobody listens on.
int unused_port();

}  // namespace nolapse
