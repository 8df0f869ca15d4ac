// CLOCK_BOOTTIME rather than CLOCK_MONOTONIC, through a timerfd: the time-out of poll stands still
// while a laptop or a paused virtual machine sleeps, and a renewal due meanwhile would come as
// much later as the sleep was long.
#include "agent/world/event_loop.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <mutex>
#include <utility>

#include "agent/world/unique_fd.h"

namespace nolapse {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

// Descriptors of the loop's own have fixed tickets; those of watches count up from here.
constexpr std::uint64_t wake_ticket = 0;
constexpr std::uint64_t timer_ticket = 1;
constexpr std::uint64_t first_watch_ticket = 2;

// No timer is further away; keeps the arithmetic on nanoseconds from overflowing.
constexpr Duration longest_timer = std::chrono::hours(24 * 3650);

Nanoseconds boot_time() {
  timespec value{};
  clock_gettime(CLOCK_BOOTTIME, &value);
  return std::chrono::seconds(value.tv_sec) + Nanoseconds(value.tv_nsec);
}

// Never expires, but is cancelled whenever the offset between the wall clock and the monotonic one
// changes: somebody set the clock, or the machine slept.
void arm_step_timer(int fd) {
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<time_t>::max();
  timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr);
}

std::uint32_t to_epoll(unsigned conditions) {
  std::uint32_t events = 0;
  if (conditions & EventLoop::readable) events |= EPOLLIN | EPOLLRDHUP;
  if (conditions & EventLoop::writable) events |= EPOLLOUT;
  return events;
}

unsigned from_epoll(std::uint32_t events) {
  if (events & (EPOLLERR | EPOLLHUP)) return EventLoop::readable | EventLoop::writable;
  unsigned conditions = 0;
  if (events & (EPOLLIN | EPOLLRDHUP)) conditions |= EventLoop::readable;
  if (events & EPOLLOUT) conditions |= EventLoop::writable;
  return conditions;
}

void prepare_process() {
  static std::once_flag once;
  std::call_once(once, [] {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    // A peer that has gone is an error value, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
  });
}

}  // namespace

struct EventLoop::Impl {
  struct Watch {
    std::uint64_t ticket = 0;
    std::function<void(unsigned)> callback;
  };

  UniqueFd epoll{epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  UniqueFd timer{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
  UniqueFd step_timer;  // from the first on_step()
  CURLM* multi = curl_multi_init();
  bool running = false;

  std::uint64_t next_ticket = first_watch_ticket;
  std::map<int, std::shared_ptr<Watch>> watches;
  std::map<std::uint64_t, std::shared_ptr<Watch>> tickets;

  TimerId next_timer = 1;
  std::map<std::pair<Nanoseconds, TimerId>, std::function<void()>> timers;
  std::map<TimerId, Nanoseconds> deadlines;
  Nanoseconds armed{0};  // what the timerfd is set to; zero: to nothing

  std::map<void*, std::function<void(int)>> transfers;

  std::mutex posted_mutex;
  std::vector<std::function<void()>> posted;
};

EventLoop::EventLoop() {
  prepare_process();
  impl_ = std::make_unique<Impl>();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wake_ticket;
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->wake.get(), &event);
  event.data.u64 = timer_ticket;
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, impl_->timer.get(), &event);
}

EventLoop::~EventLoop() {
  // What dies with a callback may still cancel its timers and watches here, so that everything is
  // taken out of the members before it is destroyed.
  while (!impl_->posted.empty() || !impl_->timers.empty() || !impl_->watches.empty() ||
         !impl_->transfers.empty()) {
    for (const auto& [easy, done] : impl_->transfers) curl_multi_remove_handle(impl_->multi, easy);
    auto transfers = std::exchange(impl_->transfers, {});
    auto posted = std::exchange(impl_->posted, {});
    auto timers = std::exchange(impl_->timers, {});
    auto tickets = std::exchange(impl_->tickets, {});
    auto watches = std::exchange(impl_->watches, {});
    impl_->deadlines.clear();
  }
  curl_multi_cleanup(impl_->multi);
}

Time EventLoop::now() const {
  return std::chrono::floor<Duration>(std::chrono::system_clock::now());
}

Duration EventLoop::utc_offset(Time at) const {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return Duration{0};
  return std::chrono::seconds(local.tm_gmtoff);
}

std::chrono::milliseconds EventLoop::uptime() const {
  return std::chrono::floor<std::chrono::milliseconds>(boot_time());
}

Clock::TimerId EventLoop::start_timer(Duration after, std::function<void()> fire) {
  const TimerId id = impl_->next_timer++;
  const Nanoseconds deadline = boot_time() + std::clamp(after, Duration::zero(), longest_timer);
  impl_->timers.emplace(std::pair(deadline, id), std::move(fire));
  impl_->deadlines.emplace(id, deadline);
  return id;
}

void EventLoop::cancel_timer(TimerId id) {
  const auto found = impl_->deadlines.find(id);
  if (found == impl_->deadlines.end()) return;
  const auto timer = impl_->timers.extract({found->second, id});
  impl_->deadlines.erase(found);
}

// Armed again before the watcher looks, so that no step falls between.
void EventLoop::on_step(std::function<void()> stepped) {
  if (impl_->step_timer.get() < 0) {
    impl_->step_timer = UniqueFd{timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
  }
  const int fd = impl_->step_timer.get();
  arm_step_timer(fd);
  watch(fd, readable, [fd, stepped = std::move(stepped)](unsigned) {
    std::uint64_t expirations = 0;
    if (::read(fd, &expirations, sizeof expirations) >= 0 || errno != ECANCELED) return;
    arm_step_timer(fd);
    stepped();
  });
}

void EventLoop::watch(int fd, unsigned conditions, std::function<void(unsigned)> callback) {
  auto entry = std::make_shared<Impl::Watch>();
  entry->ticket = impl_->next_ticket++;
  entry->callback = std::move(callback);
  epoll_event event{};
  event.events = to_epoll(conditions);
  event.data.u64 = entry->ticket;
  const auto known = impl_->watches.find(fd);
  if (known != impl_->watches.end()) {
    impl_->tickets.erase(known->second->ticket);
    epoll_ctl(impl_->epoll.get(), EPOLL_CTL_MOD, fd, &event);
  } else {
    epoll_ctl(impl_->epoll.get(), EPOLL_CTL_ADD, fd, &event);
  }
  impl_->tickets[entry->ticket] = entry;
  const auto replaced = std::exchange(impl_->watches[fd], std::move(entry));
}

void EventLoop::unwatch(int fd) {
  const auto known = impl_->watches.find(fd);
  if (known == impl_->watches.end()) return;
  epoll_ctl(impl_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  const auto removed = std::move(known->second);
  impl_->tickets.erase(removed->ticket);
  impl_->watches.erase(known);
}

void EventLoop::post(std::function<void()> call) {
  bool first = false;
  {
    const std::lock_guard lock(impl_->posted_mutex);
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(call));
  }
  if (first) eventfd_write(impl_->wake.get(), 1);
}

void EventLoop::start_transfer(void* easy, std::function<void(int)> done) {
  impl_->transfers[easy] = std::move(done);
  curl_multi_add_handle(impl_->multi, easy);
}

void EventLoop::stop_transfer(void* easy) {
  const auto transfer = impl_->transfers.extract(easy);
  if (!transfer.empty()) curl_multi_remove_handle(impl_->multi, easy);
}

void EventLoop::run() {
  run_until([] { return false; });
}

void EventLoop::run_until(const std::function<bool()>& finished) {
  impl_->running = true;
  while (impl_->running && !finished()) turn();
}

void EventLoop::stop() {
  impl_->running = false;
}

// Waits first: what a turn produced has been looked at by the caller before the loop sleeps.
void EventLoop::turn() {
  arm_timer();
  curl_waitfd nested{};
  nested.fd = impl_->epoll.get();
  nested.events = CURL_WAIT_POLLIN;
  constexpr int longest_wait_ms = 60'000;
  curl_multi_poll(impl_->multi, &nested, 1, longest_wait_ms, nullptr);
  dispatch();
  run_posted();
  run_due_timers();
  run_transfers();
}

void EventLoop::arm_timer() {
  const Nanoseconds wanted =
      impl_->timers.empty() ? Nanoseconds(0) : impl_->timers.begin()->first.first;
  if (wanted == impl_->armed) return;
  itimerspec value{};
  value.it_value.tv_sec = wanted.count() / 1'000'000'000;
  value.it_value.tv_nsec = wanted.count() % 1'000'000'000;
  timerfd_settime(impl_->timer.get(), TFD_TIMER_ABSTIME, &value, nullptr);
  impl_->armed = wanted;
}

void EventLoop::dispatch() {
  std::array<epoll_event, 64> events;
  const int count =
      epoll_wait(impl_->epoll.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == wake_ticket || event.data.u64 == timer_ticket) {
      const bool is_wake = event.data.u64 == wake_ticket;
      std::uint64_t expirations = 0;
      const int fd = is_wake ? impl_->wake.get() : impl_->timer.get();
      if (::read(fd, &expirations, sizeof expirations) > 0 && !is_wake) {
        impl_->armed = Nanoseconds(0);
      }
      continue;
    }
    // A copy: epoll_event is packed, nothing may refer to its members.
    const std::uint64_t ticket = event.data.u64;
    const auto found = impl_->tickets.find(ticket);
    if (found == impl_->tickets.end()) continue;  // an earlier callback of this turn removed it
    const auto watch = found->second;
    watch->callback(from_epoll(event.events));
  }
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(impl_->posted_mutex);
    posted.swap(impl_->posted);
  }
  for (auto& call : posted) std::exchange(call, nullptr)();
}

void EventLoop::run_due_timers() {
  const Nanoseconds time = boot_time();
  while (!impl_->timers.empty() && impl_->timers.begin()->first.first <= time) {
    const auto timer = impl_->timers.extract(impl_->timers.begin());
    impl_->deadlines.erase(timer.key().second);
    timer.mapped()();
  }
}

void EventLoop::run_transfers() {
  if (impl_->transfers.empty()) return;
  int left = 0;
  curl_multi_perform(impl_->multi, &left);
  while (const CURLMsg* message = curl_multi_info_read(impl_->multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const int code = message->data.result;
    curl_multi_remove_handle(impl_->multi, easy);
    const auto transfer = impl_->transfers.extract(easy);
    if (!transfer.empty()) transfer.mapped()(code);
  }
}

}  // namespace nolapse
