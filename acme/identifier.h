// What a certificate is for: a DNS name (perhaps a wildcard) or an IP address.
// [RFC 8555 §9.7.7, RFC 8738]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/result.h"

namespace nolapse::acme {

struct Identifier {
  std::string type;   // "dns" or "ip"
  std::string value;  // A-labels in lower case, perhaps "*."; or RFC 5952 / dotted-quad text

  friend auto operator<=>(const Identifier&, const Identifier&) = default;
};

// From what an operator writes. Converts U-labels, lower-cases, makes addresses canonical.
// Errors (kind input) say what is wrong with the name.
Result<Identifier> parse_identifier(std::string_view text);

// Canonical text of an IP address, or empty when `text` is none.
std::string canonical_address(std::string_view text);
// The 4 or 16 octets of a canonical address.
std::string address_octets(std::string_view address);
// Canonical text of 4 or 16 octets.
std::string address_text(std::string_view octets);
bool is_ipv6(std::string_view address);

// Does a certificate name (perhaps a wildcard) cover this name? [RFC 6125 §6.4.3]
bool name_covers(std::string_view pattern, std::string_view name);

std::string join(const std::vector<Identifier>& identifiers, std::string_view separator);

}  // namespace nolapse::acme
