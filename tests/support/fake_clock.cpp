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
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t number = free_slots_.back();
  free_slots_.pop_back();
  const TimerId id = ++count_ << slot_bits | number;
  slots_[number] = {std::move(run), id, outside};
  ++pending_;
  queue_.push_back({uptime_ + std::max(after, Duration(0)), id});
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  return id;
}

std::function<void()> FakeClock::take_out(Slot& slot) {
  slot.id = 0;
  --pending_;
  return std::exchange(slot.run, nullptr);
}

// What is to run next; what was cancelled before it leaves the queue.
const FakeClock::Due* FakeClock::next() {
  while (!queue_.empty()) {
    const Due& first = queue_.front();
    if (slots_[slot_of(first.id)].id == first.id) return &first;
    free_slots_.push_back(static_cast<std::uint32_t>(slot_of(first.id)));
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    queue_.pop_back();
  }
  return nullptr;
}

Clock::TimerId FakeClock::start_timer(Duration after, std::function<void()> fire) {
  return add(after, std::move(fire), false);
}

void FakeClock::cancel_timer(TimerId id) {
  const std::size_t number = slot_of(id);
  if (number >= slots_.size() || slots_[number].id != id || slots_[number].outside) return;
  const auto dropped = take_out(slots_[number]);  // destroyed last: it may come back here
}

void FakeClock::step_wall_clock(Duration by) {
  step_ += by;
  if (stepped_) post([this] { stepped_(); });
}

void FakeClock::outside_after(Duration after, std::function<void()> run) {
  add(after, std::move(run), true);
}

bool FakeClock::step() {
  const Due* due = next();
  if (due == nullptr) return false;
  uptime_ = std::max(uptime_, due->at);
  const std::size_t number = slot_of(due->id);
  std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
  queue_.pop_back();
  const auto run = take_out(slots_[number]);
  free_slots_.push_back(static_cast<std::uint32_t>(number));
  run();
  return true;
}

bool FakeClock::run_until(const std::function<bool()>& predicate, Duration limit) {
  const auto end = uptime_ + limit;
  auto instant = uptime_;
  int steps_at_instant = 0;
  while (!predicate()) {
    const Due* due = next();
    if (due == nullptr || due->at > end) return false;
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
  stepped_ = nullptr;
  std::vector<std::function<void()>> dropped;
  do {  // a closure's destructor may ask for another one
    dropped.clear();
    for (Slot& slot : slots_)
      if (slot.id != 0 && !slot.outside) dropped.push_back(take_out(slot));
  } while (!dropped.empty());
}

}  // namespace nolapse
