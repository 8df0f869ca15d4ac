#include "tests/simulation/trace.h"

#include <cstdio>

namespace nolapse {

std::uint64_t fnv1a(std::string_view text, std::uint64_t before) {
  for (const char octet : text) {
    before ^= static_cast<unsigned char>(octet);
    before *= 0x100000001b3U;
  }
  return before;
}

void Trace::add(acme::Time at, const std::string& text) {
  ++lines_;
  // Milliseconds as eight octets: formatting a date for each line would cost more than the rest.
  const auto milliseconds = static_cast<std::uint64_t>(at.time_since_epoch().count());
  char octets[8];
  for (int i = 0; i < 8; ++i) octets[i] = static_cast<char>((milliseconds >> (8 * i)) & 0xff);
  hash_ = fnv1a({octets, sizeof octets}, hash_);
  hash_ = fnv1a("\n", fnv1a(text, hash_));
  if (reader) reader(acme::format_rfc3339(at) + " " + text);
}

std::string Trace::hash() const {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
  return text;
}

}  // namespace nolapse
