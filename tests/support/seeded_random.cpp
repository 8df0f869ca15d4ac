// splitmix64, as published by Sebastiano Vigna into the public domain: one addition and two
// multiply-xorshift rounds for each number, and every seed (0 too) is a good one.
#include "tests/support/seeded_random.h"

namespace nolapse {

std::uint64_t SeededRandom::next() {
  state_ += 0x9e3779b97f4a7c15U;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

std::uint64_t SeededRandom::below(std::uint64_t limit) {
  return limit == 0 ? 0 : next() % limit;
}

bool SeededRandom::chance(unsigned percent) {
  return below(100) < percent;
}

std::string SeededRandom::octets(std::size_t count) {
  std::string result;
  while (result.size() < count) result.push_back(static_cast<char>(next() & 0xff));
  return result;
}

}  // namespace nolapse
