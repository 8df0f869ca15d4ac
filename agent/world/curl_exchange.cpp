// curl's defaults are chosen for a command line; everything here that looks superfluous turns off
// something that a variable or a file of whoever started the agent could otherwise turn on.
#include "agent/world/curl_exchange.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "acme/identifier.h"
#include "agent/world/system_error.h"

namespace nolapse {
namespace {

constexpr std::size_t most_header_octets = 64 << 10;
constexpr int curl_default_proxy_port = 1080;

using UrlPointer = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string result = text;
  curl_free(text);
  return result;
}

std::string without_brackets(std::string host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

bool is_plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

tl::unexpected<Error> unusable(const std::string& message) {
  return fail(ErrorKind::transient, "CA_UNREACHABLE", message);
}

Result<HostAndPort> host_of(CURLU* url, const std::string& text) {
  HostAndPort result{without_brackets(url_part(url, CURLUPART_HOST)), {}};
  if (result.host.empty()) return unusable("\"" + text + "\" names no host");
  if (!is_plain_ascii(result.host)) {
    return unusable("the host in \"" + text + "\" must be written in its ASCII form (xn--...)");
  }
  return result;
}

}  // namespace

Result<HostAndPort> parse_url(const std::string& url, bool plain_http) {
  const UrlPointer parsed(curl_url(), &curl_url_cleanup);
  if (!is_plain_ascii(url) ||
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return unusable("\"" + url + "\" is not a URL");
  }
  const std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "https" && !(plain_http && scheme == "http")) {
    return unusable("\"" + url + "\" is not an https URL; ACME is spoken over https only");
  }
  auto result = host_of(parsed.get(), url);
  if (result) result->port = url_part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  return result;
}

Result<HostAndPort> parse_proxy(const std::string& proxy) {
  const UrlPointer parsed(curl_url(), &curl_url_cleanup);
  const std::string url = proxy.find("://") == std::string::npos ? "http://" + proxy : proxy;
  if (!is_plain_ascii(url) || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(),
                                           CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return unusable("the proxy \"" + proxy + "\" is not a URL; correct `proxy`");
  }
  const std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https" && scheme != "socks5h") {
    return unusable("the proxy \"" + proxy + "\" must be http, https or socks5h; correct `proxy`");
  }
  auto result = host_of(parsed.get(), proxy);
  if (!result) return result;
  result->port = url_part(parsed.get(), CURLUPART_PORT);
  if (result->port.empty()) {
    result->port = scheme == "https" ? "443" : std::to_string(curl_default_proxy_port);
  }
  return result;
}

struct CurlExchange::Callbacks {
  static std::size_t body(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<CurlExchange*>(self);
    if (exchange.response_.body.size() + size > exchange.options_.body_limit) {
      exchange.body_too_long_ = true;
      return 0;
    }
    exchange.response_.body.append(data, size);
    return size;
  }

  // Every response begins with its status line; only the last one's fields are kept, not those of
  // a 100 (Continue) before it, nor trailers after the body.
  static std::size_t header(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<CurlExchange*>(self);
    exchange.header_octets_ += size;
    if (exchange.header_octets_ > most_header_octets) {
      exchange.header_too_long_ = true;
      return 0;
    }
    const std::string_view line(data, size);
    const auto colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      exchange.response_.headers.clear();
    } else if (colon != std::string_view::npos && exchange.response_.body.empty()) {
      acme::HttpHeader field;
      field.name = line.substr(0, colon);
      const std::string_view value = line.substr(colon + 1);
      const auto begin = value.find_first_not_of(" \t\r\n");
      if (begin != std::string_view::npos) {
        field.value = value.substr(begin, value.find_last_not_of(" \t\r\n") - begin + 1);
      }
      exchange.response_.headers.push_back(std::move(field));
    }
    return size;
  }

  static CURLcode trust(CURL*, void* context, void* self) {
    auto& exchange = *static_cast<CurlExchange*>(self);
    exchange.tls_begun_ = true;
    SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), exchange.trust_store_.anchors.get());
    return CURLE_OK;
  }

  // curl is about to look a name up by itself, on a thread that it would wait for.
  static int refuse_to_resolve(void*, void*, void*) { return 1; }
};

CurlExchange::CurlExchange(acme::HttpRequest request, HttpOptions options)
    : request_(std::move(request)),
      options_(std::move(options)),
      easy_(curl_easy_init()),
      error_text_(CURL_ERROR_SIZE, '\0') {}

CurlExchange::~CurlExchange() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(static_cast<curl_slist*>(headers_));
  curl_slist_free_all(static_cast<curl_slist*>(addresses_));
}

Result<void> CurlExchange::prepare(const HostAndPort& peer,
                                   const std::vector<std::string>& addresses,
                                   TrustStore trust_store) {
  trust_store_ = std::move(trust_store);
  peer_ = peer;
  for (const auto& address : addresses) {
    address_text_ += (address_text_.empty() ? "" : ", ") + address;
  }
  set_request_options();
  set_network_options(peer, addresses);
  set_trust_options();
  return set_headers();
}

void CurlExchange::set_request_options() {
  CURL* const easy = easy_;
  const std::string agent = std::string("nolapse/" NOLAPSE_VERSION " libcurl/") +
                            curl_version_info(CURLVERSION_NOW)->version;
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, agent.c_str());
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);  // else curl waits for a body
  } else if (request_.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
    if (request_.method != "POST") {
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Callbacks::body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, static_cast<void*>(this));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Callbacks::header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, static_cast<void*>(this));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_.data());
}

Result<void> CurlExchange::set_headers() {
  // Waiting for "100 Continue" costs a second where the server does not know it.
  auto* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& header : request_.headers) {
    if (has_line_break(header.name) || has_line_break(header.value)) {
      curl_slist_free_all(list);
      return unusable("a header field for " + request_.url + " contains a line break");
    }
    const std::string line =
        header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    list = curl_slist_append(list, line.c_str());
  }
  headers_ = list;
  curl_easy_setopt(static_cast<CURL*>(easy_), CURLOPT_HTTPHEADER, list);
  return {};
}

void CurlExchange::set_network_options(const HostAndPort& peer,
                                       const std::vector<std::string>& addresses) {
  CURL* const easy = easy_;
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, options_.plain_http ? "http,https" : "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_PROXY, options_.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!options_.address.empty()) {
    // curl tells connections apart by the host's name, not by where it was reached.
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  }
  // The caller's deadline is kept by the loop; curl's own five minutes are further away.
  if (!acme::canonical_address(peer.host).empty()) return;
  curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, &Callbacks::refuse_to_resolve);
  std::string entry = peer.host + ":" + peer.port + ":";
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0) entry += ',';
    entry += acme::is_ipv6(addresses[i]) ? "[" + addresses[i] + "]" : addresses[i];
  }
  auto* const list = curl_slist_append(nullptr, entry.c_str());
  addresses_ = list;
  curl_easy_setopt(easy, CURLOPT_RESOLVE, list);
}

void CurlExchange::set_trust_options() {
  CURL* const easy = easy_;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options_.any_certificate ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options_.any_certificate ? 0L : 2L);
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
  // The store that the callback sets replaces whatever curl reads. The path is only a label: it is
  // part of what curl compares before it uses a connection again, so that one that was verified
  // with other anchors is not. OpenSSL opens a directory of anchors at the first look into it.
  const std::string label = "/nonexistent/" + trust_store_.identity;
  curl_easy_setopt(easy, CURLOPT_CAPATH, label.c_str());
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &Callbacks::trust);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
}

Result<acme::HttpResponse> CurlExchange::take_result(int code) {
  if (code != CURLE_OK) return fail(describe_failure(code));
  long status = 0;
  curl_easy_getinfo(static_cast<CURL*>(easy_), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

std::string CurlExchange::peer_text() const {
  return peer_.host + " port " + peer_.port +
         (address_text_ == peer_.host ? std::string() : " (" + address_text_ + ")");
}

acme::Error CurlExchange::describe_failure(int code) const {
  CURL* const easy = easy_;
  const std::string where = request_.url + " at " + peer_text() + ": ";
  const auto error = [&where](const char* name, const std::string& cause) {
    return Error{ErrorKind::transient, name, where + cause, {}, {}};
  };
  if (body_too_long_) {
    return error("BODY_TOO_LONG",
                 "the response is longer than " + std::to_string(options_.body_limit) + " octets");
  }
  if (header_too_long_)
    return error("BODY_TOO_LONG", "the response's header is longer than 64 KiB");
  std::string cause = error_text_.c_str();
  if (cause.empty()) cause = curl_easy_strerror(static_cast<CURLcode>(code));
  std::replace_if(
      cause.begin(), cause.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION: {
      long reason = X509_V_OK;
      curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &reason);
      if (reason != X509_V_OK) cause = X509_verify_cert_error_string(reason);
      return error("CA_TLS", "certificate verify failed: " + cause +
                                 "; for a private CA set `roots` to its trust anchors");
    }
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
      return error("CA_TLS", "the TLS handshake failed: " + cause);
    case CURLE_COULDNT_CONNECT: {
      long number = 0;
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
      if (number != 0) cause = describe_errno(static_cast<int>(number));
      return error("CA_UNREACHABLE", "cannot connect: " + cause);
    }
    case CURLE_OPERATION_TIMEDOUT:
      return error("CA_TIMEOUT", cause);
    default:
      return error("CA_UNREACHABLE", cause);
  }
}

std::string CurlExchange::pending_step() const {
  CURL* const easy = easy_;
  curl_off_t connected = 0;
  curl_off_t shaken = 0;
  curl_off_t first_octet = 0;
  curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
  curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &shaken);
  curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_octet);
  if (peer_.host.empty()) return "no address for it";
  if (first_octet > 0) return "the response did not end";
  if (shaken > 0 || (options_.plain_http && connected > 0 && !tls_begun_)) return "no response";
  if (tls_begun_) return "no TLS handshake with " + peer_text();
  return "no connection to " + peer_text();
}

}  // namespace nolapse
