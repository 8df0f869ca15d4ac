// A certificate revocation list as facts: of what may be millions of octets only the serial numbers
// are kept, in a form that is small and quick to search. [RFC 5280 §5]
//
// Lists are fetched over plain http, so one is nothing but what its signature makes of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/result.h"
#include "acme/x509.h"

namespace nolapse::acme {

// Octets; a larger one is not read.
inline constexpr std::size_t largest_revocation_list = 8 << 20;

struct Revocation {
  Time at{};
  std::string reason;  // "keyCompromise", …; "unspecified" where none is given [RFC 5280 §5.3.1]
};

// The number of a reason, given by its name or as a number; nothing for what is none.
// [RFC 5280 §5.3.1]
std::optional<int> parse_revocation_reason(std::string_view text);
const char* name_of_revocation_reason(int reason);

class RevocationList {
 public:
  struct Entry {
    std::array<unsigned char, 20> serial{};  // unsigned, zeros in front [RFC 5280 §5.2.3]
    std::uint8_t reason = 0;                 // CRLReason
    Time at{};
  };

  // In any order.
  RevocationList(std::vector<Entry> entries, std::optional<Time> next_update);

  // By Certificate::serial_number; nothing where it is not listed.
  std::optional<Revocation> find(std::string_view serial_number) const;
  std::optional<Time> next_update() const { return next_update_; }
  std::size_t size() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;  // sorted
  std::optional<Time> next_update_;
};

// From hex, as Certificate::serial_number; nothing for what is none, or longer than 20 octets.
std::optional<std::array<unsigned char, 20>> parse_serial(std::string_view hex);

// Reads what was found at `url`, DER or PEM, as a list of `issuer` (with its DER). Errors:
// transient BAD_REVOCATION_LIST, with the reason: not a list, too large, not signed by the issuer,
// or the issuer may not sign lists; not in force at `now` (begun up to an hour ahead is tolerated:
// clocks differ); about other certificates, of other issuers, or of another place (a list that
// names its place must name this one, else an old part of a divided list could stand in for ours).
// [RFC 5280 §5.2.5, §6.3.3]
Result<RevocationList> parse_revocation_list(std::string_view body, const Certificate& issuer,
                                             std::string_view url, Time now);

}  // namespace nolapse::acme
