// One that is ignored (nohup) stays ignored: the kernel throws it away before signalfd sees it.
// One signal per turn, so that a callback may destroy the watch.
#include "agent/world/signals.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "agent/world/unique_fd.h"

namespace nolapse {

struct SignalWatch::Impl {
  Impl(EventLoop& event_loop, std::function<void(int)> callback)
      : loop(&event_loop), on_signal(std::move(callback)) {}

  // 0 when none is waiting.
  int next() const {
    signalfd_siginfo info{};
    const ssize_t count = ::read(fd.get(), &info, sizeof info);
    return count == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
  }

  static void watch(const std::shared_ptr<Impl>& impl) {
    impl->loop->watch(impl->fd.get(), EventLoop::readable, [impl](unsigned) {
      if (const int number = impl->next(); number != 0) impl->on_signal(number);
    });
  }

  EventLoop* loop;
  std::function<void(int)> on_signal;
  sigset_t before{};
  UniqueFd fd;
};

SignalWatch::SignalWatch(EventLoop& loop, std::function<void(int)> on_signal)
    : impl_(std::make_shared<Impl>(loop, std::move(on_signal))) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&mask, number);
  pthread_sigmask(SIG_BLOCK, &mask, &impl_->before);
  impl_->fd.reset(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  Impl::watch(impl_);
}

void SignalWatch::move_to(EventLoop& loop) {
  impl_->loop->unwatch(impl_->fd.get());
  impl_->loop = &loop;
  Impl::watch(impl_);
}

// A second Ctrl-C during the shut-down must not kill the process at the moment of unblocking.
SignalWatch::~SignalWatch() {
  impl_->loop->unwatch(impl_->fd.get());
  while (impl_->next() != 0) {
  }
  pthread_sigmask(SIG_SETMASK, &impl_->before, nullptr);
}

}  // namespace nolapse
