// Makes OpenSSL's random numbers reproducible while it lives, so that keys, signatures and
// therefore fingerprints in a simulation's trace are the same for the same seed. Process-wide:
// one at a time, and only in tests.
#pragma once

#include <cstdint>

namespace nolapse {

class SeededOpenssl {
 public:
  explicit SeededOpenssl(std::uint64_t seed);
  ~SeededOpenssl();
  SeededOpenssl(const SeededOpenssl&) = delete;
  SeededOpenssl& operator=(const SeededOpenssl&) = delete;
};

}  // namespace nolapse
