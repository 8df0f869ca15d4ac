// Virtual time: order, cancelling, crashes, steps of the wall clock.
#include "tests/support/fake_clock.h"

#include <doctest/doctest.h>

#include <string>

using namespace nolapse;
using namespace std::chrono_literals;

namespace {
const Time start = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
}

TEST_CASE("closures run in the order of their instants, then in the order of asking") {
  FakeClock clock(start);
  std::string order;
  clock.start_timer(20ms, [&] { order += 'd'; });
  clock.start_timer(10ms, [&] { order += 'b'; });
  clock.outside_after(10ms, [&] { order += 'c'; });
  clock.post([&] {
    order += 'a';
    clock.post([&] { order += '!'; });
  });
  clock.run_for(1s);
  CHECK(order == "a!bcd");
  CHECK(clock.uptime() == 1s);
  CHECK(clock.now() == start + 1s);
}

TEST_CASE("a cancelled timer never fires, and unknown ids are ignored") {
  FakeClock clock(start);
  bool fired = false;
  const auto id = clock.start_timer(1s, [&] { fired = true; });
  clock.cancel_timer(id);
  clock.cancel_timer(id);
  clock.cancel_timer(4711);
  clock.run_for(2s);
  CHECK_FALSE(fired);
}

TEST_CASE("dropping the process keeps what the world outside has under way") {
  FakeClock clock(start);
  std::string order;
  clock.start_timer(1s, [&] { order += "process"; });
  clock.outside_after(2s, [&] { order += "outside"; });
  clock.drop_all();
  clock.run_for(5s);
  CHECK(order == "outside");
}

TEST_CASE("a step of the wall clock moves neither the monotonic nor the true time") {
  FakeClock clock(start);
  clock.run_for(1s);
  clock.step_wall_clock(-48h);
  CHECK(clock.now() == start + 1s - 48h);
  CHECK(clock.true_time() == start + 1s);
  CHECK(clock.uptime() == 1s);
}

TEST_CASE("a step is told to the process, later, unless it has died meanwhile") {
  FakeClock clock(start);
  int told = 0;
  clock.step_wall_clock(1h);
  clock.on_step([&] { ++told; });
  clock.run_for(1s);
  CHECK(told == 0);
  clock.step_wall_clock(1h);
  CHECK(told == 0);
  clock.run_for(0s);
  CHECK(told == 1);
  clock.step_wall_clock(-1h);
  clock.drop_all();
  clock.step_wall_clock(-1h);
  clock.run_for(1s);
  CHECK(told == 1);
}

TEST_CASE("run_until ends with the predicate, an empty queue, the limit or a livelock") {
  FakeClock clock(start);
  int count = 0;
  CHECK_FALSE(clock.run_until([&] { return count == 1; }));
  clock.start_timer(1h, [&] { ++count; });
  CHECK_FALSE(clock.run_until([&] { return count == 1; }, 59min));
  CHECK(clock.run_until([&] { return count == 1; }, 2h));
  const std::function<void()> again = [&] { clock.post(again); };
  again();
  CHECK_FALSE(clock.run_until([] { return false; }));
}
