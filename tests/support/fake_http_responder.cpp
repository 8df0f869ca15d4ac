// Listeners as a table, and the CA's way to them.
#include "tests/support/fake_http_responder.h"

#include "acme/challenge_response.h"

namespace nolapse {

namespace {

struct Listen {
  std::string address;
  std::uint16_t port = 0;
};

std::optional<Listen> parse_listen(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size() || text.size() - colon > 6)
    return std::nullopt;
  unsigned port = 0;
  for (const char c : text.substr(colon + 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  if (port > 65535 || acme::canonical_address(address).empty()) return std::nullopt;
  return Listen{acme::canonical_address(address), static_cast<std::uint16_t>(port)};
}

bool listens_on(const Listen& listen, const std::string& address, std::uint16_t port) {
  if (listen.port != port) return false;
  if (listen.address == "::" || listen.address == address) return true;
  return listen.address == "0.0.0.0" && !acme::is_ipv6(address);
}

}  // namespace

Result<void> FakeHttpResponder::serve(const std::string& listen, const std::string& token,
                                      const std::string& body) {
  const auto where = parse_listen(listen);
  if (!where) return fail(ErrorKind::local, "LISTEN_FAILED", "cannot listen on '" + listen + "'");
  const auto holder = occupied_.find(where->port);
  if (holder != occupied_.end())
    return fail(ErrorKind::local, "PORT_IN_USE",
                "cannot listen on " + listen + ": in use by " + holder->second);
  listeners_[listen][token] = {body, 0};
  return {};
}

unsigned FakeHttpResponder::withdraw(const std::string& listen, const std::string& token) {
  const auto listener = listeners_.find(listen);
  if (listener == listeners_.end()) return 0;
  const auto withdrawn = listener->second.extract(token);
  if (listener->second.empty()) listeners_.erase(listener);
  return withdrawn.empty() ? 0 : withdrawn.mapped().fetched;
}

std::size_t FakeHttpResponder::tokens() const {
  std::size_t count = 0;
  for (const auto& [listen, tokens] : listeners_) count += tokens.size();
  return count;
}

std::vector<std::string> FakeHttpResponder::all_tokens() const {
  std::vector<std::string> all;
  for (const auto& [listen, tokens] : listeners_)
    for (const auto& [token, body] : tokens) all.push_back(token);
  return all;
}

std::optional<std::string> FakeHttpResponder::fetch(const std::string& address, std::uint16_t port,
                                                    const std::string& token) {
  bool open = false;
  for (auto& [listen, tokens] : listeners_) {
    const auto where = parse_listen(listen);
    if (!where || !listens_on(*where, address, port)) continue;
    open = true;
    const auto found = tokens.find(token);
    if (found == tokens.end()) continue;
    ++found->second.fetched;
    return found->second.body;
  }
  return open ? std::optional<std::string>("") : std::nullopt;
}

std::optional<std::string> Http01Validation::fetch(const std::string& address,
                                                   const std::string& token) {
  const auto webroot = webroots.find(port);
  if (webroot == webroots.end()) return responder_.fetch(address, port, token);
  return files_.read(webroot->second + acme::http01_path(token)).value_or("");
}

std::optional<ValidationFailure> Http01Validation::validate(const ValidationRequest& request) {
  const std::string& name = request.identifier.value;
  if (request.type != "http-01")
    return ValidationFailure{"dns", name + ": no TXT record found for " + request.type};
  const auto addresses = dns_.look_up_publicly(name);
  if (!addresses) return ValidationFailure{"dns", addresses.error().message};
  const std::string& address = addresses->front();
  const std::string where = address + ": " + request.identifier.value + ": ";
  if (firewalled || !local_addresses.contains(address))
    return ValidationFailure{"connection", where + "timeout during connect (likely firewall)"};
  const auto body = fetch(address, request.token);
  if (!body) return ValidationFailure{"connection", where + "connection refused"};
  if (body->empty()) return ValidationFailure{"unauthorized", where + "invalid response: 404"};
  if (*body != request.key_authorization)
    return ValidationFailure{"unauthorized", where + "the key authorization does not match"};
  return std::nullopt;
}

}  // namespace nolapse
