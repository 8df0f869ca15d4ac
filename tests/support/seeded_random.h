// The only source of chance in the fake world: splitmix64. Small, and the same numbers from every
// compiler and standard library, which std::uniform_int_distribution does not promise; a
// simulation is replayed from its seed alone.
#pragma once

#include <cstdint>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() override;
  std::uint64_t below(std::uint64_t limit);  // 0 where the limit is 0
  bool chance(unsigned percent);
  std::string octets(std::size_t count);
  // A generator whose numbers do not depend on how many are taken from this one later.
  SeededRandom branch() { return SeededRandom(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace nolapse
