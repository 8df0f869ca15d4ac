// The probe says in words why a chain does not validate, all reasons at once; what is known from
// the certificates themselves (dates, names, who signed whom) is read from them. The order below is
// that in which a person would repair things: a new certificate makes most other faults moot.
#include "agent/core/diagnosis_faults.h"

#include <algorithm>
#include <array>

#include "acme/authority_access.h"
#include "acme/json_read.h"

namespace nolapse {
namespace {

constexpr std::size_t most_names_shown = 3;
constexpr std::size_t longest_name_shown = 100;

std::string shown(const std::string& text) {
  return acme::printable(text, longest_name_shown);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

template <std::size_t size>
bool contains_any(const std::string& text, const std::array<const char*, size>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return contains(text, part); });
}

Fault of_certificate(const char* code, std::string what) {
  return {code, Cause::certificate, std::move(what)};
}

// The reasons of chain_error() without the name's, where nobody looks at the name.
std::string reasons_of(const SeenAddress& seen, bool name_checked) {
  if (name_checked) return seen.chain_error;
  std::string kept;
  for (std::size_t begin = 0; begin < seen.chain_error.size();) {
    const std::size_t end = std::min(seen.chain_error.find("; ", begin), seen.chain_error.size());
    const std::string reason = seen.chain_error.substr(begin, end - begin);
    if (!contains(reason, " does not name ")) kept += (kept.empty() ? "" : "; ") + reason;
    begin = end + 2;
  }
  return kept;
}

// The last certificate of what was served that the leaf leads to.
const acme::Certificate& end_of_chain(const std::vector<acme::Certificate>& chain) {
  const acme::Certificate* at = &chain.front();
  for (std::size_t steps = 0; steps < chain.size() && at->subject != at->issuer; ++steps) {
    const auto issuer = std::find_if(
        chain.begin(), chain.end(),
        [&](const acme::Certificate& each) { return &each != at && each.subject == at->issuer; });
    if (issuer == chain.end()) break;
    at = &*issuer;
  }
  return *at;
}

Fault missing_issuer(const SeenEndpoint& endpoint, const SeenAddress& seen) {
  const acme::Certificate& end = end_of_chain(seen.chain);
  const std::string issuer = "\"" + shown(end.issuer_common_name) + "\"";
  for (const PairOnDisk& pair : endpoint.pairs) {
    const auto found =
        std::find_if(pair.chain.begin(), pair.chain.end(),
                     [&](const acme::Certificate& each) { return each.subject == end.issuer; });
    if (found == pair.chain.end() || found->subject == found->issuer) continue;
    return of_certificate("INCOMPLETE_CHAIN", "serves a chain without the intermediate " + issuer +
                                                  ", which stands in " + pair.certificate_file);
  }
  const auto urls = acme::read_authority_access(end).issuer_urls;
  if (&end == &seen.chain.front() && !urls.empty()) {
    return of_certificate("INCOMPLETE_CHAIN", "serves a chain without the intermediate " + issuer +
                                                  ", which is to be had from " + shown(urls[0]));
  }
  return of_certificate("UNTRUSTED_ROOT",
                        "serves a certificate of " + issuer + ", which is not trusted here" +
                            (&end == &seen.chain.front()
                                 ? " (a private CA, or an intermediate that is to be served, too)"
                                 : ""));
}

Fault chain_fault(const SeenEndpoint& endpoint, const SeenAddress& seen,
                  const std::string& reasons) {
  const acme::Certificate& leaf = seen.chain.front();
  constexpr std::array no_issuer = {"unable to get", "unable to verify the first"};
  if (reasons.starts_with("cannot read the trust anchors")) {
    return {"ROOTS_UNREADABLE", Cause::unknown, "cannot be judged: " + reasons};
  }
  if (contains(reasons, " expired on ")) {
    return of_certificate("EXPIRED", "serves a chain of which a part has expired: " + reasons);
  }
  if (contains(reasons, " is not valid before ")) {
    return of_certificate("NOT_YET_VALID",
                          "serves a chain of which a part is not valid yet: " + reasons);
  }
  if (leaf.subject == leaf.issuer && contains(reasons, "self-signed")) {
    return of_certificate("SELF_SIGNED",
                          "serves a self-signed certificate, for which no CA vouches");
  }
  if (contains(reasons, "self-signed")) {
    return of_certificate("UNTRUSTED_ROOT",
                          "serves a chain that leads to \"" +
                              shown(end_of_chain(seen.chain).subject_common_name) +
                              "\", which is not trusted here");
  }
  if (contains_any(reasons, no_issuer)) return missing_issuer(endpoint, seen);
  return of_certificate("NOT_ACCEPTED", "serves what clients refuse: " + reasons);
}

std::optional<Fault> certificate_fault(const SeenEndpoint& endpoint, const SeenAddress& seen,
                                       Time now) {
  if (seen.chain.empty()) {
    return Fault{"HANDSHAKE_FAILS", Cause::unknown,
                 "serves something that is no X.509 certificate"};
  }
  const acme::Certificate& leaf = seen.chain.front();
  const std::string reasons = reasons_of(seen, endpoint.name_checked);
  if (now >= leaf.not_after) {
    return of_certificate("EXPIRED", "serves a certificate that expired " +
                                         acme::format_duration(now - leaf.not_after) + " ago, on " +
                                         acme::format_rfc3339(leaf.not_after));
  }
  if (now < leaf.not_before) {
    return of_certificate("NOT_YET_VALID", "serves a certificate that is not valid before " +
                                               acme::format_rfc3339(leaf.not_before) + ", in " +
                                               acme::format_duration(leaf.not_before - now));
  }
  const std::string& name =
      endpoint.endpoint.server_name.empty() ? seen.address : endpoint.endpoint.server_name;
  const bool is_address = !acme::canonical_address(name).empty();
  if (endpoint.name_checked && !acme::names(leaf, {is_address ? "ip" : "dns", name})) {
    return of_certificate("WRONG_NAME", "serves a certificate that does not name " + name +
                                            ", but " + describe_leaf(leaf));
  }
  if (seen.revocation) {
    return of_certificate("REVOKED", "serves a certificate that its CA revoked on " +
                                         acme::format_rfc3339(seen.revocation->at) + " (" +
                                         seen.revocation->reason + ")");
  }
  if (!reasons.empty()) return chain_fault(endpoint, seen, reasons);
  return {};
}

Fault unreachable_fault(const SeenAddress& seen) {
  const char* const code = contains(seen.detail, "refused")            ? "TCP_REFUSED"
                           : contains(seen.detail, "no answer within") ? "TCP_TIMEOUT"
                                                                       : "TCP_UNREACHABLE";
  return {code, Cause::other, "cannot be reached: " + shown(seen.detail)};
}

Fault handshake_fault(const SeenEndpoint& endpoint, const SeenAddress& seen) {
  constexpr std::array old_protocols = {"unsupported protocol",   "protocol version",
                                        "no protocols available", "no ciphers",
                                        "no shared cipher",       "wrong ssl version"};
  const std::string detail = acme::printable(seen.detail, 300);
  if (seen.plain_http) {
    return {"PLAIN_HTTP_ON_TLS_PORT", Cause::other,
            "speaks plain HTTP, where TLS is expected: no certificate is shown at all"};
  }
  if (contains(detail, "unrecognized name")) {
    return of_certificate("WRONG_NAME", "has no certificate for " + endpoint.endpoint.server_name +
                                            " and refuses the handshake");
  }
  if (contains_any(detail, old_protocols)) {
    return {"TLS_VERSION", Cause::other,
            "shares no TLS version or cipher with clients of today: " + detail};
  }
  return {"HANDSHAKE_FAILS", Cause::unknown, "answers, but makes no TLS handshake: " + detail};
}

}  // namespace

std::string describe_leaf(const acme::Certificate& leaf) {
  std::string text;
  const auto& names = leaf.subject_alternative_names;
  for (std::size_t i = 0; i < std::min(names.size(), most_names_shown); ++i) {
    text += (i > 0 ? ", " : "") + shown(names[i].value);
  }
  if (names.size() > most_names_shown) {
    text += " and " + std::to_string(names.size() - most_names_shown) + " more";
  }
  if (names.empty()) text = "nothing";
  return text + ", issued by \"" + shown(leaf.issuer_common_name) + "\"";
}

std::optional<Fault> fault_of(const SeenEndpoint& endpoint, const SeenAddress& seen, Time now) {
  if (!seen.looked_at) {
    return Fault{"NOT_SEEN", Cause::unknown, "was not seen: there was no time for it"};
  }
  switch (seen.outcome) {
    case ProbeReply::Outcome::unreachable:
      return unreachable_fault(seen);
    case ProbeReply::Outcome::no_handshake:
      // Of a hop in the clear nobody expected TLS.
      if (!endpoint.tls) return {};
      return handshake_fault(endpoint, seen);
    case ProbeReply::Outcome::handshake:
      break;
  }
  if (!endpoint.tls) return {};
  if (auto fault = certificate_fault(endpoint, seen, now)) return fault;
  if (seen.http && seen.http->code == "CA_TLS") {
    return Fault{"TLS_VERSION", Cause::other,
                 "makes a TLS handshake only in ways that clients of today refuse: " +
                     acme::printable(seen.http->detail, 300)};
  }
  return {};
}

}  // namespace nolapse
