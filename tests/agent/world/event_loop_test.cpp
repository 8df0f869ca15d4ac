#include "agent/world/event_loop.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "agent/world/worker_pool.h"
#include "tests/agent/world/await.h"

using namespace nolapse;
using std::chrono::milliseconds;

TEST_CASE("timers fire in the order of their deadlines, never early, and only once") {
  EventLoop loop;
  std::string order;
  const auto start = loop.uptime();
  std::chrono::milliseconds last{0};
  loop.start_timer(milliseconds(30), [&] {
    order += 'c';
    last = loop.uptime() - start;
  });
  loop.start_timer(milliseconds(10), [&] { order += 'a'; });
  loop.start_timer(milliseconds(20), [&] { order += 'b'; });
  run_for(loop, milliseconds(60));
  CHECK(order == "abc");
  CHECK(last >= milliseconds(29));
  CHECK(last < milliseconds(60));
}

TEST_CASE(
    "a cancelled timer does not fire, not even when another one of the same turn cancels it") {
  EventLoop loop;
  bool fired = false;
  Clock::TimerId second = 0;
  loop.start_timer(milliseconds(1), [&] { loop.cancel_timer(second); });
  second = loop.start_timer(milliseconds(1), [&] { fired = true; });
  loop.cancel_timer(12345);
  run_for(loop, milliseconds(20));
  CHECK_FALSE(fired);
}

TEST_CASE("a negative and an absurdly long wait are both accepted") {
  EventLoop loop;
  bool fired = false;
  loop.start_timer(Duration::max(), [] { FAIL("far too early"); });
  loop.start_timer(milliseconds(-5), [&] { fired = true; });
  run_for(loop, milliseconds(5));
  CHECK(fired);
}

// The clock of this machine is nobody's to set for a test. What the kernel shows of the descriptor
// says the rest. [proc(5), /proc/pid/fdinfo of a timerfd]
TEST_CASE(
    "the loop has itself told when the wall clock is set, and is left alone while it is not") {
  const auto armed = [] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const bool of_wall_clock = text.find("clockid: 0\n") != std::string::npos;
      const bool absolute_and_cancelled_on_set =
          text.find("settime flags: 03\n") != std::string::npos;
      const bool never = text.find("it_value: (0, 0)") == std::string::npos;
      count += of_wall_clock && absolute_and_cancelled_on_set && never;
    }
    return count;
  };
  const int before = armed();
  {
    EventLoop loop;
    int told = 0;
    loop.on_step([&] { told += 100; });
    loop.on_step([&] { ++told; });
    run_for(loop, milliseconds(10));
    CHECK(told == 0);
    CHECK(armed() == before + 1);
  }
  CHECK(armed() == before);
}

TEST_CASE("what is posted runs later, in order, also from other threads") {
  EventLoop loop;
  std::string order;
  loop.post([&] {
    order += '1';
    loop.post([&] { order += '3'; });
  });
  loop.post([&] { order += '2'; });
  CHECK(order.empty());
  loop.run_until([&] { return order.size() == 3; });
  CHECK(order == "123");

  int count = 0;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++count; });
  });
  loop.run_until([&] { return count == 1000; });
  poster.join();
  CHECK(count == 1000);
}

TEST_CASE("a watched descriptor is reported until it is unwatched") {
  EventLoop loop;
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  int reports = 0;
  loop.watch(ends[0], EventLoop::readable, [&](unsigned ready) {
    CHECK((ready & EventLoop::readable) != 0);
    if (++reports == 3) loop.unwatch(ends[0]);
  });
  run_for(loop, milliseconds(5));
  CHECK(reports == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  run_for(loop, milliseconds(20));
  CHECK(reports == 3);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a descriptor that a callback closes is not reported in the same turn") {
  EventLoop loop;
  std::array<int, 2> first{};
  std::array<int, 2> second{};
  REQUIRE(::pipe(first.data()) == 0);
  REQUIRE(::pipe(second.data()) == 0);
  REQUIRE(::write(first[1], "x", 1) == 1);
  REQUIRE(::write(second[1], "x", 1) == 1);
  int reports = 0;
  const auto report = [&](unsigned) {
    ++reports;
    loop.unwatch(first[0]);
    loop.unwatch(second[0]);
  };
  loop.watch(first[0], EventLoop::readable, report);
  loop.watch(second[0], EventLoop::readable, report);
  run_for(loop, milliseconds(10));
  CHECK(reports == 1);
  for (const int fd : {first[0], first[1], second[0], second[1]}) ::close(fd);
}

TEST_CASE("stop ends a run whose predicate does not hold") {
  EventLoop loop;
  loop.start_timer(milliseconds(5), [&] { loop.stop(); });
  loop.run();
  loop.start_timer(milliseconds(5), [&] { loop.stop(); });
  loop.run_until([] { return false; });
  CHECK(true);
}

TEST_CASE("destroying the loop drops what is left, even if that still cancels its own timers") {
  bool called = false;
  struct CancelsAtTheEnd {
    CancelsAtTheEnd(EventLoop& event_loop, Clock::TimerId id) : loop(event_loop), timer(id) {}
    EventLoop& loop;
    Clock::TimerId timer;
    ~CancelsAtTheEnd() {
      loop.cancel_timer(timer);
      loop.unwatch(0);
    }
  };
  {
    EventLoop loop;
    const auto timer = loop.start_timer(milliseconds(1), [&] { called = true; });
    const auto guard = std::make_shared<CancelsAtTheEnd>(loop, timer);
    loop.post([&called, guard] { called = true; });
    loop.start_timer(milliseconds(1), [&called, guard] { called = true; });
  }
  CHECK_FALSE(called);
}

TEST_CASE("work runs on another thread, its end on the loop's") {
  EventLoop loop;
  WorkerPool workers(loop, 2);
  const auto here = std::this_thread::get_id();
  const auto there = await<std::thread::id>(loop, [&](std::function<void(std::thread::id)> done) {
    workers.run([] { return std::this_thread::get_id(); },
                [&, done](std::thread::id id) {
                  CHECK(std::this_thread::get_id() == here);
                  done(id);
                });
  });
  CHECK(there != here);
}

TEST_CASE("the loop goes on while every worker is busy, and queued work gets its turn") {
  EventLoop loop;
  WorkerPool workers(loop, 2);
  int ended = 0;
  int ticks = 0;
  for (int i = 0; i < 6; ++i) {
    workers.run([] { return std::this_thread::sleep_for(milliseconds(20)), 0; },
                [&](int) { ++ended; });
  }
  std::function<void()> tick = [&] {
    ++ticks;
    loop.start_timer(milliseconds(5), tick);
  };
  tick();
  loop.run_until([&] { return ended == 6; });
  CHECK(ticks >= 6);
}

TEST_CASE("a destroyed pool waits for the work under way and calls nobody") {
  EventLoop loop;
  int ended = 0;
  {
    WorkerPool workers(loop, 1);
    for (int i = 0; i < 3; ++i) {
      workers.run([] { return std::this_thread::sleep_for(milliseconds(5)), 0; },
                  [&](int) { ++ended; });
    }
  }
  CHECK(ended == 0);
}
