#include "agent/core/diagnosis_target.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace nolapse {
namespace {

struct Scheme {
  const char* name;
  const char* port;
  const char* starttls;
};
constexpr std::array<Scheme, 19> schemes = {{{"https", "443", ""},
                                             {"http", "80", ""},
                                             {"wss", "443", ""},
                                             {"smtp", "25", "smtp"},
                                             {"submission", "587", "smtp"},
                                             {"smtps", "465", ""},
                                             {"submissions", "465", ""},
                                             {"imap", "143", "imap"},
                                             {"imaps", "993", ""},
                                             {"pop3", "110", "pop3"},
                                             {"pop3s", "995", ""},
                                             {"ldap", "389", "ldap"},
                                             {"ldaps", "636", ""},
                                             {"postgres", "5432", "postgres"},
                                             {"postgresql", "5432", "postgres"},
                                             {"ftps", "990", ""},
                                             {"amqps", "5671", ""},
                                             {"mqtts", "8883", ""},
                                             {"ircs", "6697", ""}}};

// Ports whose TLS begins at once, and behind it no HTTP.
constexpr std::array<std::uint16_t, 11> other_tls_ports = {465, 563, 636,  853,  990, 992,
                                                           993, 995, 5061, 5671, 6697};

tl::unexpected<EndpointFault> refuse(const std::string& text, const std::string& why,
                                     std::string fix) {
  return tl::unexpected(EndpointFault{"\"" + text + "\" " + why, std::move(fix)});
}

const Scheme* find_scheme(std::string_view name) {
  const auto found = std::find_if(schemes.begin(), schemes.end(),
                                  [&](const Scheme& each) { return name == each.name; });
  return found == schemes.end() ? nullptr : &*found;
}

// By the port that goes with it, where nothing else was said.
std::string usual_starttls(std::uint16_t port) {
  const std::string text = std::to_string(port);
  for (const Scheme& each : schemes) {
    if (text == each.port && each.starttls[0] != '\0') return each.starttls;
  }
  return {};
}

std::string usual_port(std::string_view starttls) {
  for (const Scheme& each : schemes) {
    if (!starttls.empty() && starttls == each.starttls) return each.port;
  }
  return "443";
}

bool has_port(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  if (bracket != std::string_view::npos) return host.find(':', bracket) != std::string_view::npos;
  return std::count(host.begin(), host.end(), ':') == 1;
}

// "shop.test." is a name as zone files have it.
std::string without_last_dot(std::string_view host) {
  const std::size_t end = std::min(host.rfind(':'), host.size());
  std::string text(host);
  if (end > 1 && host[end - 1] == '.') text.erase(end - 1, 1);
  return text;
}

// "shop.test", "[::1]" and even "::1" with their port.
std::string with_port(std::string_view given, const std::string& port) {
  const std::string host = without_last_dot(given);
  if (has_port(host)) return host;
  const bool bare_address = host.find(':') != std::string_view::npos && host.front() != '[';
  return (bare_address ? "[" + host + "]" : host) + ":" + port;
}

bool is_sendable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

tl::expected<DiagnosisTarget, EndpointFault> parse_url(const std::string& text, std::size_t mark) {
  const std::string_view whole = text;
  const Scheme* scheme = find_scheme(whole.substr(0, mark));
  if (scheme == nullptr) {
    return refuse(text, "has a scheme that is not known here", "write https://HOST, or HOST:PORT");
  }
  const std::string_view rest = whole.substr(mark + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return refuse(text, "has a user's name in it", "leave it out: nobody logs in");
  }
  const std::string starttls = scheme->starttls;
  auto endpoint = parse_endpoint(
      with_port(authority, scheme->port) + (starttls.empty() ? "" : "!" + starttls), {});
  if (!endpoint) return tl::unexpected(endpoint.error());
  DiagnosisTarget target{std::move(*endpoint), {}, false, false};
  const std::string name = scheme->name;
  if (name != "https" && name != "http" && name != "wss") return target;
  std::string_view path = rest.substr(slash);
  path = path.substr(0, path.find('#'));
  if (!is_sendable(path)) {
    return refuse(text, "has a character in its path that no URL has", "write it as %XX");
  }
  target.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  target.redirects = name == "http";
  target.surely_web = name != "wss";
  return target;
}

// A path with its query, "/a/b?c", as a browser makes it of what is relative to another.
std::string path_after(const std::string& path, const std::string& reference) {
  const std::string page = path.substr(0, path.find('?'));
  std::string merged = reference;
  if (reference.empty() || reference.starts_with('#')) merged = path;
  if (reference.starts_with('?')) merged = page + reference;
  if (!merged.starts_with('/')) merged = page.substr(0, page.rfind('/') + 1) + reference;
  const std::size_t end = std::min(merged.find_first_of("?#"), merged.size());
  const std::string query = merged.substr(end, merged.find('#') - end);
  const std::string plain = merged.substr(0, end);
  if (plain.find("/.") == std::string::npos) return plain + query;
  return std::filesystem::path(plain).lexically_normal().string() + query;
}

bool has_scheme(const std::string& location) {
  const std::size_t colon = location.find(':');
  return colon != std::string::npos && colon < location.find_first_of("/?#");
}

}  // namespace

std::optional<DiagnosisTarget> parse_redirect(const DiagnosisTarget& from,
                                              const std::string& location) {
  const bool elsewhere = has_scheme(location) || location.starts_with("//");
  if (!elsewhere) {
    DiagnosisTarget to = from;
    to.path = path_after(from.path, location);
    if (!is_sendable(to.path)) return {};
    return to;
  }
  const std::string scheme = from.redirects ? "http:" : "https:";
  auto to = parse_diagnosis_target(location.starts_with("//") ? scheme + location : location);
  if (!to || to->path.empty()) return {};
  // An endpoint may be asked under another address than its name has.
  const Endpoint& known = from.endpoint;
  if (to->redirects == from.redirects && to->endpoint.host == known.server_name &&
      to->endpoint.port == known.port) {
    to->endpoint = known;
  }
  return *to;
}

DiagnosisTarget target_of(Endpoint endpoint) {
  DiagnosisTarget target{std::move(endpoint), {}, false, false};
  const std::uint16_t port = target.endpoint.port;
  const bool other =
      std::find(other_tls_ports.begin(), other_tls_ports.end(), port) != other_tls_ports.end();
  if (target.endpoint.starttls.empty() && !other) target.path = "/";
  target.surely_web = !target.path.empty() && (port == 443 || port == 8443);
  return target;
}

tl::expected<DiagnosisTarget, EndpointFault> parse_diagnosis_target(const std::string& text) {
  if (text.empty()) return refuse(text, "is nothing", "write HOST, HOST:PORT or a URL");
  if (const auto mark = text.find("://"); mark != std::string::npos) return parse_url(text, mark);
  const std::size_t behind_host = std::min(text.find_first_of("#!"), text.size());
  const std::size_t bang = text.find('!');
  const std::string starttls = bang == std::string::npos ? "" : text.substr(bang + 1);
  const std::string_view host = std::string_view(text).substr(0, behind_host);
  if (host.empty() || host.find('/') != std::string_view::npos) {
    return refuse(text, "is no host", "write HOST, HOST:PORT or https://HOST/PATH");
  }
  auto endpoint =
      parse_endpoint(with_port(host, usual_port(starttls)) + text.substr(behind_host), {});
  if (!endpoint) return tl::unexpected(endpoint.error());
  if (starttls.empty()) {
    endpoint->starttls = usual_starttls(endpoint->port);
    if (!endpoint->starttls.empty()) endpoint->text += "!" + endpoint->starttls;
  }
  return target_of(std::move(*endpoint));
}

tl::expected<void, EndpointFault> add_resolved(ResolvedByHand& resolved, const std::string& text) {
  constexpr const char* form = "write --resolve HOST:PORT:ADDRESS";
  // The address may be an IPv6 one, with or without brackets: it is what follows the second colon
  // outside of brackets.
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  const std::size_t first = bracket == std::string::npos ? bracket : text.find(':', bracket);
  const std::size_t second = first == std::string::npos ? first : text.find(':', first + 1);
  if (second == std::string::npos) return refuse(text, "has not three parts", form);
  const auto from = parse_host_port(text.substr(0, second));
  if (!from) return tl::unexpected(EndpointFault{from.error().reason, form});
  std::string address = text.substr(second + 1);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  const std::string canonical = acme::canonical_address(address);
  if (canonical.empty()) return refuse(text, "does not end with an IP address", form);
  resolved[from->text()].push_back(canonical);
  return {};
}

}  // namespace nolapse
