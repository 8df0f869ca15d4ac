// Tasks are taken in the order they came; nothing orders two tasks that run at the same time, so
// that what must happen in sequence is one task.
#include "agent/world/worker_pool.h"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace nolapse {

struct WorkerPool::Impl {
  struct Task {
    std::function<void()> work;
    std::function<void()> done;
  };

  Impl(EventLoop& event_loop, unsigned thread_limit) : loop(event_loop), limit(thread_limit) {}

  void serve();
  void start_thread();

  EventLoop& loop;
  const unsigned limit;
  std::mutex mutex;
  std::condition_variable wanted;
  std::deque<std::shared_ptr<Task>> queue;
  unsigned idle = 0;
  bool ending = false;
  std::vector<std::thread> threads;
};

// Signals belong to the loop's thread.
void WorkerPool::Impl::start_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads.emplace_back([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WorkerPool::Impl::serve() {
  std::unique_lock lock(mutex);
  while (true) {
    ++idle;
    wanted.wait(lock, [this] { return ending || !queue.empty(); });
    --idle;
    if (ending) return;
    auto task = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    task->work();
    // The last reference travels to the loop with the call.
    loop.post([task = std::move(task)] { task->done(); });
    lock.lock();
  }
}

WorkerPool::WorkerPool(EventLoop& loop, unsigned threads)
    : impl_(std::make_unique<Impl>(loop, threads)) {}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ending = true;
  }
  impl_->wanted.notify_all();
  for (auto& thread : impl_->threads) thread.join();
}

void WorkerPool::submit(std::function<void()> work, std::function<void()> done) {
  auto task = std::make_shared<Impl::Task>();
  task->work = std::move(work);
  task->done = std::move(done);
  const std::lock_guard lock(impl_->mutex);
  impl_->queue.push_back(std::move(task));
  if (impl_->idle < impl_->queue.size() && impl_->threads.size() < impl_->limit) {
    impl_->start_thread();
  }
  impl_->wanted.notify_one();
}

}  // namespace nolapse
