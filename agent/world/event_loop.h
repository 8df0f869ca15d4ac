// The one thread everything runs on. It waits in curl_multi_poll, which knows curl's sockets, with
// a single epoll descriptor nested in it for everything foreign: sockets, pipes, pidfds, the
// wake-up of the workers and the timers.
//
// Callbacks run from turn() and nowhere else, so nothing is ever called from inside the call that
// asked for it. Whoever hands a callback to the loop outlives the running of the loop; destroying
// the loop drops what is left without calling it.
#pragma once

#include <map>
#include <memory>

#include "agent/world/world.h"

namespace nolapse {

class EventLoop final : public Clock {
 public:
  EventLoop();
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Time now() const override;
  Duration utc_offset(Time at) const override;
  // Counts from boot and goes on counting while the machine sleeps: a deadline that passed during
  // a suspend is due at resume.
  std::chrono::milliseconds uptime() const override;
  TimerId start_timer(Duration after, std::function<void()> fire) override;
  void cancel_timer(TimerId id) override;
  void on_step(std::function<void()> stepped) override;

  // Conditions of a descriptor; errors and hang-ups are reported as both.
  static constexpr unsigned readable = 1;
  static constexpr unsigned writable = 2;
  // Level triggered. A second call for the same descriptor replaces the first.
  void watch(int fd, unsigned conditions, std::function<void(unsigned ready)> callback);
  // Call it before closing the descriptor. One that is not watched is ignored.
  void unwatch(int fd);

  // Runs `call` in one of the next turns. The only member that other threads may use.
  void post(std::function<void()> call);

  // `easy` is a CURL*; `done` gets its CURLcode once the handle has left the loop again.
  void start_transfer(void* easy, std::function<void(int code)> done);
  void stop_transfer(void* easy);

  void run();                                             // until stop()
  void run_until(const std::function<bool()>& finished);  // or until stop()
  void stop();                                            // ends the run that is under way

 private:
  struct Impl;

  void turn();
  void dispatch();
  void run_posted();
  void run_due_timers();
  void run_transfers();
  void arm_timer();

  std::unique_ptr<Impl> impl_;
};

}  // namespace nolapse
