// A slot is handed on without becoming free: nobody who asks meanwhile gets in before the queue.
#include "agent/world/slots.h"

#include <utility>

namespace nolapse {

void Slots::enter(std::function<void()> start) {
  if (free_ == 0) return waiting_.push_back(std::move(start));
  --free_;
  start();
}

void Slots::leave() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  const auto start = std::move(waiting_.front());
  waiting_.pop_front();
  start();
}

}  // namespace nolapse
