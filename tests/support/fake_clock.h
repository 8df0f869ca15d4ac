// Virtual time: a queue of (instant, sequence) -> closure on one thread. Nothing waits; time jumps
// to the next closure's instant, and closures for one instant run in the order they were asked for.
//
// Two kinds of closure: those of the process under test (timers, completions), which a crash drops
// for ever, and those of the world outside (a request on its way to the CA, a validation, a child
// process), which survive it. The wall clock may be stepped; what the rest of the world calls the
// time is true_time().
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(Time start) : start_(start) {}

  Time now() const override { return true_time() + step_; }
  Duration utc_offset(Time) const override { return local_time; }
  Duration local_time{};  // ahead of UTC
  std::chrono::milliseconds uptime() const override { return uptime_; }
  TimerId start_timer(Duration after, std::function<void()> fire) override;
  void cancel_timer(TimerId id) override;
  void on_step(std::function<void()> stepped) override { stepped_ = std::move(stepped); }

  Time true_time() const { return start_ + uptime_; }
  void step_wall_clock(Duration by);

  // On behalf of the process: dropped by drop_all(). post() runs after all that is pending now.
  void post(std::function<void()> run) { start_timer(Duration(0), std::move(run)); }
  void post_after(Duration after, std::function<void()> run) { start_timer(after, std::move(run)); }
  // On behalf of the world outside: survives drop_all().
  void outside_after(Duration after, std::function<void()> run);
  void outside_at(Time at, std::function<void()> run) {
    outside_after(at - true_time(), std::move(run));
  }

  // Runs the next closure; false where there is none.
  bool step();
  // False when the queue ran dry, `limit` of virtual time went by, or a million closures ran
  // within one instant (a livelock) before the predicate held.
  bool run_until(const std::function<bool()>& predicate, Duration limit = std::chrono::hours(24));
  void run_for(Duration duration);

  // The process is gone: none of its closures is ever called. Never call it from inside one of
  // the process's own functions; from a closure of the world outside or between steps.
  void drop_all();
  std::size_t pending() const { return pending_; }

 private:
  // A closure waits in a slot; the queue is a heap of numbers, which is much quicker to keep in
  // order than the closures. What is cancelled leaves its slot at once and the heap in its time.
  struct Slot {
    std::function<void()> run;
    TimerId id = 0;  // 0: nothing waits in it any more
    bool outside = false;
  };
  struct Due {
    std::chrono::milliseconds at;
    TimerId id;

    friend bool operator>(const Due& a, const Due& b) {
      return a.at != b.at ? a.at > b.at : a.id > b.id;
    }
  };
  // An id is a count, for the order, with the number of the slot below.
  static constexpr unsigned slot_bits = 24;
  static std::size_t slot_of(TimerId id) { return id & ((TimerId{1} << slot_bits) - 1); }

  TimerId add(Duration after, std::function<void()> run, bool outside);
  std::function<void()> take_out(Slot& slot);
  const Due* next();

  Time start_;
  Duration step_{0};
  std::function<void()> stepped_;
  std::chrono::milliseconds uptime_{0};
  TimerId count_ = 0;
  std::size_t pending_ = 0;  // slots that are in use
  std::vector<Due> queue_;   // a heap, the next one first
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

}  // namespace nolapse
