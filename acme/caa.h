// May this CA issue for this name? The DNS says, and the CA will look; we look before it is asked.
// [RFC 8659, RFC 8657]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"

namespace nolapse::acme {

struct CaaRecord {
  bool critical = false;
  std::string tag;  // lower case
  std::string value;
};
// From "FLAGS TAG VALUE". What makes no sense becomes a critical record of an unknown tag, which
// forbids everything, as it does for a CA.
CaaRecord parse_caa_record(std::string_view text);

struct CaaRequest {
  std::vector<std::string> ca_identities;  // `caaIdentities` of its directory
  std::string account_url;
  std::string challenge_type;  // "http-01"
};

// Why the records forbid it, in words that quote the record; empty: they do not. `records` are the
// relevant set, perhaps empty. [RFC 8659 §3, §4, RFC 8657 §3, §4]
std::string caa_refusal(const std::vector<CaaRecord>& records, bool wildcard,
                        const CaaRequest& request);

// The names whose records count for an identifier, the nearest first: itself without "*." and all
// above it; the first with any records is the only one that counts. Empty for addresses.
// [RFC 8659 §3]
std::vector<std::string> caa_names(const Identifier& identifier);

}  // namespace nolapse::acme
