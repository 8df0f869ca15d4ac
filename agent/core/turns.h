// Whose turn it is, by name: of deployment targets, and of certificates. Two certificates that
// share a web server must not install and test their files at the same time, one's half-done
// state would fail the other's test; and one certificate is never worked on twice at once.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "agent/world/world.h"

namespace nolapse {

class Turns {
 public:
  explicit Turns(Clock& clock) : clock_(clock) {}

  // Calls `turn` later, when everybody before has called leave().
  void enter(const std::string& name, std::function<void()> turn) {
    auto& queue = queues_[name];
    queue.push_back(std::move(turn));
    if (queue.size() == 1) clock_.start_timer(Duration{0}, queue.front());
  }

  void leave(const std::string& name) {
    const auto found = queues_.find(name);
    found->second.pop_front();
    if (found->second.empty()) {
      queues_.erase(found);
    } else {
      clock_.start_timer(Duration{0}, found->second.front());
    }
  }

 private:
  Clock& clock_;
  std::map<std::string, std::deque<std::function<void()>>> queues_;
};

}  // namespace nolapse
