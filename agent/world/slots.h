// So many at once and no more: what needs descriptors takes a slot, the others wait in order. More
// certificates than descriptors is an ordinary configuration.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>

namespace nolapse {

class Slots {
 public:
  explicit Slots(std::size_t all) : free_(all) {}

  // Calls `start` at once where a slot is free, otherwise from a later leave(). `start` must not
  // leave again before it returns.
  void enter(std::function<void()> start);
  // Once for each start.
  void leave();

 private:
  std::size_t free_;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace nolapse
