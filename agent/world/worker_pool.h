// A few threads for what blocks and decides nothing: durable writes, key generation, system name
// look-ups. A task has two halves: `work` runs on a thread, `done` gets its value on the loop.
// Whatever either half captured is destroyed on the loop's thread, so it needs no locks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "agent/world/event_loop.h"

namespace nolapse {

class WorkerPool {
 public:
  // Threads start when there is work for them. The pool is destroyed before the loop.
  explicit WorkerPool(EventLoop& loop, unsigned threads = 4);
  // Waits for the work under way; what has not begun is dropped, and no `done` is called.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  template <class Work, class Done>
  void run(Work work, Done done) {
    using Value = std::invoke_result_t<Work&>;
    auto value = std::make_shared<std::optional<Value>>();
    submit([work = std::move(work), value]() mutable { value->emplace(work()); },
           [done = std::move(done), value]() mutable { done(std::move(**value)); });
  }

 private:
  struct Impl;
  void submit(std::function<void()> work, std::function<void()> done);

  std::unique_ptr<Impl> impl_;
};

}  // namespace nolapse
