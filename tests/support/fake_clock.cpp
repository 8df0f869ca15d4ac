// The queue of the fake world. A closure is taken out of the queue before it runs, so that it may
// cancel, add or drop whatever it likes, itself included.
#include "tests/support/fake_clock.h"

#include <algorithm>
#include <vector>

namespace nolapse {

namespace {
constexpr int livelock_steps = 1'000'000;
}

Clock::TimerId FakeClock::add(Duration after, std::function<void()> run, bool outside) {
  const Key key{uptime_ + std::max(after, Duration(0)), ++last_id_};
  queue_.emplace(key, Entry{std::move(run), outside});
  if (!outside) timers_.emplace(key.second, key);
  return key.second;
}

Clock::TimerId FakeClock::start_timer(Duration after, std::function<void()> fire) {
  return add(after, std::move(fire), false);
}

void FakeClock::cancel_timer(TimerId id) {
  const auto timer = timers_.find(id);
  if (timer == timers_.end()) return;
  const Key key = timer->second;
  timers_.erase(timer);
  const auto dropped = queue_.extract(key);  // destroyed last: its destructor may come back here
}

void FakeClock::outside_after(Duration after, std::function<void()> run) {
  add(after, std::move(run), true);
}

bool FakeClock::step() {
  if (queue_.empty()) return false;
  auto next = queue_.extract(queue_.begin());
  uptime_ = std::max(uptime_, next.key().first);
  timers_.erase(next.key().second);
  next.mapped().run();
  return true;
}

bool FakeClock::run_until(const std::function<bool()>& predicate, Duration limit) {
  const auto end = uptime_ + limit;
  auto instant = uptime_;
  int steps_at_instant = 0;
  while (!predicate()) {
    if (queue_.empty() || queue_.begin()->first.first > end) return false;
    step();
    steps_at_instant = uptime_ == instant ? steps_at_instant + 1 : 0;
    instant = uptime_;
    if (steps_at_instant > livelock_steps) return false;
  }
  return true;
}

void FakeClock::run_for(Duration duration) {
  const auto end = uptime_ + duration;
  run_until([] { return false; }, duration);
  uptime_ = std::max(uptime_, end);
}

void FakeClock::drop_all() {
  while (!timers_.empty()) {  // a closure's destructor may ask for another one
    std::vector<Entry> dropped;
    for (const auto& [id, key] : timers_)
      dropped.push_back(std::move(queue_.extract(key).mapped()));
    timers_.clear();
  }
}

}  // namespace nolapse
