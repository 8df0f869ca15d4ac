#include "agent/core/config_endpoint.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace nolapse {
namespace {

constexpr std::array<std::string_view, 5> starttls_protocols = {"smtp", "imap", "pop3", "ldap",
                                                                "postgres"};

constexpr const char* form =
    "write ADDRESS:PORT, with an IPv6 address in brackets, such as \"192.0.2.1:443\" or "
    "\"[2001:db8::1]:443\"";

tl::unexpected<EndpointFault> refuse(std::string_view text, const std::string& why,
                                     std::string fix = form) {
  return tl::unexpected(EndpointFault{"\"" + std::string(text) + "\" " + why, std::move(fix)});
}

bool is_wildcard(std::string_view name) {
  return name.substr(0, 2) == "*.";
}

tl::expected<std::string, EndpointFault> server_name_for(
    const std::string& text, const std::string& host,
    const std::vector<acme::Identifier>& domains) {
  const auto named = std::find_if(domains.begin(), domains.end(), [](const auto& domain) {
    return domain.type == "dns" && !is_wildcard(domain.value);
  });
  if (named != domains.end()) return named->value;
  const bool own = std::any_of(domains.begin(), domains.end(),
                               [&](const auto& domain) { return domain.value == host; });
  if (own) return host;
  const auto address = std::find_if(domains.begin(), domains.end(),
                                    [](const auto& domain) { return domain.type == "ip"; });
  if (address != domains.end()) return address->value;
  // Without any good domain the certificate has its own problem; this one would only repeat it.
  if (domains.empty()) return host;
  return refuse(text, "does not say which name to ask for, and the certificate has only wildcards",
                "append #NAME with a name that the wildcard covers");
}

}  // namespace

std::string HostPort::text() const {
  return (acme::is_ipv6(host) ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

tl::expected<HostPort, EndpointFault> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse(text, "has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);

  HostPort result;
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, result.port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || result.port == 0) {
    return refuse(text, "has no port from 1 to 65535 at its end");
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return refuse(text, "has no address before the port");
  const auto identifier = acme::parse_identifier(host);
  if (!identifier) return refuse(text, "has neither an address nor a host name before the port");
  if (is_wildcard(identifier->value)) {
    return refuse(text, "is a wildcard, to which nobody can connect",
                  "write one host name or address");
  }
  result.host = identifier->value;
  result.is_address = identifier->type == "ip";
  if (bracketed != acme::is_ipv6(result.host)) {
    if (bracketed) return refuse(text, "has brackets around something else than an IPv6 address");
    return refuse(text, "has an IPv6 address without brackets", "write \"" + result.text() + "\"");
  }
  return result;
}

tl::expected<Endpoint, EndpointFault> parse_endpoint(const std::string& text,
                                                     const std::vector<acme::Identifier>& domains) {
  const std::size_t mark = text.find('!');
  const std::string_view place = std::string_view(text).substr(0, mark);
  const std::size_t hash = place.find('#');
  const auto at = parse_host_port(place.substr(0, hash));
  if (!at) return tl::unexpected(at.error());

  Endpoint endpoint{text, at->host, at->port, at->host};
  if (mark != std::string::npos) {
    endpoint.starttls = text.substr(mark + 1);
    if (std::find(starttls_protocols.begin(), starttls_protocols.end(), endpoint.starttls) ==
        starttls_protocols.end()) {
      return refuse(text, "does not end with a protocol that has STARTTLS",
                    "write one of !smtp, !imap, !pop3, !ldap, !postgres behind it");
    }
  }
  if (hash != std::string::npos) {
    const auto name = acme::parse_identifier(place.substr(hash + 1));
    if (!name || name->type != "dns" || is_wildcard(name->value)) {
      return refuse(text, "has no host name after the #",
                    "write the name that a client asks for, such as #shop.example");
    }
    endpoint.server_name = name->value;
  } else if (at->is_address) {
    auto name = server_name_for(text, at->host, domains);
    if (!name) return tl::unexpected(name.error());
    endpoint.server_name = *name;
  }
  return endpoint;
}

}  // namespace nolapse
