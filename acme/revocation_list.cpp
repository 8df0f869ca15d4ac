#include "acme/revocation_list.h"

#include <algorithm>
#include <charconv>

namespace nolapse::acme {
namespace {

// By their numbers. [RFC 5280 §5.3.1]
constexpr std::array<const char*, 11> reasons = {
    "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
    "superseded",    "cessationOfOperation", "certificateHold", "unspecified",
    "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};

}  // namespace

RevocationList::RevocationList(std::vector<Entry> entries, std::optional<Time> next_update)
    : entries_(std::move(entries)), next_update_(next_update) {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.serial < b.serial; });
}

std::optional<Revocation> RevocationList::find(std::string_view serial_number) const {
  const auto serial = parse_serial(serial_number);
  if (!serial) return {};
  const auto entry =
      std::lower_bound(entries_.begin(), entries_.end(), *serial,
                       [](const Entry& each, const auto& wanted) { return each.serial < wanted; });
  if (entry == entries_.end() || entry->serial != *serial) return {};
  return Revocation{entry->at, name_of_revocation_reason(entry->reason)};
}

const char* name_of_revocation_reason(int reason) {
  const auto number = static_cast<std::size_t>(reason);
  return number < reasons.size() ? reasons[number] : reasons[0];
}

std::optional<int> parse_revocation_reason(std::string_view text) {
  for (std::size_t number = 0; number < reasons.size(); ++number) {
    if (text == reasons[number] || text == std::to_string(number)) return static_cast<int>(number);
  }
  return {};
}

std::optional<std::array<unsigned char, 20>> parse_serial(std::string_view hex) {
  std::array<unsigned char, 20> serial{};
  while (hex.starts_with("00")) hex.remove_prefix(2);
  if (hex.size() % 2 != 0 || hex.size() > 2 * serial.size()) return {};
  for (auto* octet = serial.end() - hex.size() / 2; !hex.empty(); hex.remove_prefix(2)) {
    const auto parsed = std::from_chars(hex.data(), hex.data() + 2, *octet++, 16);
    if (parsed.ptr != hex.data() + 2) return {};
  }
  return serial;
}

}  // namespace nolapse::acme
