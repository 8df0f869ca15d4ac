// Everything that happened, as lines in order, of which only a running hash is kept: two builds
// that give the same hash did the same. FNV-1a with 64 bits: a fingerprint, not a signature.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "acme/time.h"

namespace nolapse {

constexpr std::uint64_t fnv1a_start = 0xcbf29ce484222325U;
std::uint64_t fnv1a(std::string_view text, std::uint64_t before = fnv1a_start);

class Trace {
 public:
  void add(acme::Time at, const std::string& text);

  std::uint64_t lines() const { return lines_; }
  std::string hash() const;  // 16 hex digits
  // Shown every line, for people who look for something.
  std::function<void(const std::string&)> reader;

 private:
  std::uint64_t lines_ = 0;
  std::uint64_t hash_ = fnv1a_start;
};

}  // namespace nolapse
