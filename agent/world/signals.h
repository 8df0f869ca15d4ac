// SIGTERM, SIGINT and SIGHUP as events of the loop [signalfd(2)]: no code of ours ever runs inside
// a signal handler.
#pragma once

#include <functional>
#include <memory>

#include "agent/world/event_loop.h"

namespace nolapse {

class SignalWatch {
 public:
  // Blocks the three in this thread; make it before other threads, which inherit that. Child
  // processes start with the defaults. `on_signal` gets the number, from the loop.
  SignalWatch(EventLoop& loop, std::function<void(int)> on_signal);
  // From here on the other loop reports them; none gets lost on the way.
  void move_to(EventLoop& loop);
  // What has arrived by now and was not reported is forgotten; then all is as before.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // its callback may destroy the watch
};

}  // namespace nolapse
