// Who may use a deployment target now. Two certificates that share a web server must not install
// and test their files at the same time: one's half-done state would fail the other's test.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "agent/world/world.h"

namespace nolapse {

class TargetTurns {
 public:
  explicit TargetTurns(Clock& clock) : clock_(clock) {}

  // Calls `turn` later, when everybody before has called leave().
  void enter(const std::string& target, std::function<void()> turn) {
    auto& queue = queues_[target];
    queue.push_back(std::move(turn));
    if (queue.size() == 1) clock_.start_timer(Duration{0}, queue.front());
  }

  void leave(const std::string& target) {
    auto& queue = queues_[target];
    queue.pop_front();
    if (!queue.empty()) clock_.start_timer(Duration{0}, queue.front());
  }

 private:
  Clock& clock_;
  std::map<std::string, std::deque<std::function<void()>>> queues_;
};

}  // namespace nolapse
