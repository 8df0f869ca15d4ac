// One HTTP exchange as curl sees it: the options of an easy handle, what comes back through its
// callbacks, and what went wrong in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/world/trust_store.h"
#include "agent/world/world.h"

namespace nolapse {

// A host that somebody has to resolve, and the port it is used with.
struct HostAndPort {
  std::string host;  // without brackets
  std::string port;
};

// Only https URLs (or also http) with a host in ASCII. The error says what is wrong with it.
Result<HostAndPort> parse_url(const std::string& url, bool plain_http);
// http, https and socks5h proxies: with each of them the proxy resolves the target.
Result<HostAndPort> parse_proxy(const std::string& proxy);

class CurlExchange {
 public:
  CurlExchange(acme::HttpRequest request, HttpOptions options);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // The addresses are those of the proxy where there is one. Error: a request that cannot be sent.
  Result<void> prepare(const HostAndPort& peer, const std::vector<std::string>& addresses,
                       TrustStore trust_store);
  void* easy() const { return easy_; }
  // After the transfer; `code` is its CURLcode.
  Result<acme::HttpResponse> take_result(int code);
  // What a transfer that has taken too long was waiting for: "no connection to ...".
  std::string pending_step() const;

 private:
  struct Callbacks;

  void set_request_options();
  Result<void> set_headers();
  void set_network_options(const HostAndPort& peer, const std::vector<std::string>& addresses);
  void set_trust_options();
  acme::Error describe_failure(int code) const;
  std::string peer_text() const;

  const acme::HttpRequest request_;
  const HttpOptions options_;
  void* easy_;
  void* headers_ = nullptr;    // curl_slist
  void* addresses_ = nullptr;  // curl_slist
  HostAndPort peer_;
  std::string address_text_;
  TrustStore trust_store_;
  acme::HttpResponse response_;
  std::size_t header_octets_ = 0;
  bool tls_begun_ = false;  // curl's own record of the connection comes only after the handshake
  bool header_too_long_ = false;
  bool body_too_long_ = false;
  std::string error_text_;  // curl's buffer
};

}  // namespace nolapse
