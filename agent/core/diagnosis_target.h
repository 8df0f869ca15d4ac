// What a person may ask about: HOST, HOST:PORT, an endpoint as the configuration writes it, or a
// URL.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/config_endpoint.h"

namespace nolapse {

struct DiagnosisTarget {
  Endpoint endpoint;
  // What is asked for after the handshake; empty: nothing, it is no web server.
  std::string path;
  bool surely_web = false;  // no HTTP response is a fault
  bool redirects = false;   // http://: where it sends to is what matters
};

tl::expected<DiagnosisTarget, EndpointFault> parse_diagnosis_target(const std::string& text);

// Where a page of `from` sends its visitors, be it within the same site. Nothing: to no page.
// [RFC 9110 §10.2.2, RFC 3986 §5.2]
std::optional<DiagnosisTarget> parse_redirect(const DiagnosisTarget& from,
                                              const std::string& location);

DiagnosisTarget target_of(Endpoint endpoint);

// As curl has it, HOST:PORT:ADDRESS: by "HOST:PORT", the addresses to connect to.
using ResolvedByHand = std::map<std::string, std::vector<std::string>>;
tl::expected<void, EndpointFault> add_resolved(ResolvedByHand& resolved, const std::string& text);

}  // namespace nolapse
