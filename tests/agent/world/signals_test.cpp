#include "agent/world/signals.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "agent/world/child_process.h"
#include "tests/agent/world/await.h"

using namespace nolapse;
using std::chrono::milliseconds;

TEST_CASE("signals arrive as events of the loop, also while workers run") {
  EventLoop loop;
  std::vector<int> arrived;
  SignalWatch signals(loop, [&](int number) { arrived.push_back(number); });
  WorkerPool workers(loop);
  bool worked = false;
  workers.run([] { return std::this_thread::sleep_for(milliseconds(20)), 0; },
              [&](int) { worked = true; });
  ::kill(::getpid(), SIGHUP);
  run_for(loop, milliseconds(5));
  CHECK(arrived == std::vector<int>{SIGHUP});
  ::kill(::getpid(), SIGTERM);
  ::kill(::getpid(), SIGINT);
  loop.run_until([&] { return worked && arrived.size() == 3; });
  CHECK(std::set<int>(arrived.begin(), arrived.end()) == std::set<int>{SIGHUP, SIGINT, SIGTERM});
}

TEST_CASE("a child process has the default signals although ours are blocked") {
  EventLoop loop;
  const SignalWatch signals(loop, [](int) {});
  WorkerPool workers(loop);
  ChildProcesses processes(loop, workers);
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", "kill -TERM $$; exit 3"};
  const auto result =
      await<Result<ProcessResult>>(loop, [&](auto done) { processes.run(spec, done); });
  REQUIRE(result);
  CHECK(result->ending == ProcessResult::Ending::signalled);
  CHECK(result->code == SIGTERM);
}

TEST_CASE("a signal that nobody looked at does not kill the process when the watch ends") {
  EventLoop loop;
  sigset_t mask;
  {
    const SignalWatch signals(loop, [](int) {});
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    CHECK(::sigismember(&mask, SIGTERM) == 1);
    ::kill(::getpid(), SIGTERM);
    ::kill(::getpid(), SIGINT);
  }
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(::sigismember(&mask, SIGTERM) == 0);
}

TEST_CASE("the callback may end the watch") {
  EventLoop loop;
  int calls = 0;
  std::unique_ptr<SignalWatch> signals;
  signals = std::make_unique<SignalWatch>(loop, [&](int) {
    ++calls;
    signals.reset();
  });
  ::kill(::getpid(), SIGTERM);
  ::kill(::getpid(), SIGHUP);
  run_for(loop, milliseconds(10));
  CHECK(calls == 1);
}

TEST_CASE("a signal that comes while the watch moves to another loop is reported there") {
  EventLoop first;
  EventLoop second;
  std::vector<int> arrived;
  SignalWatch signals(first, [&](int number) { arrived.push_back(number); });
  ::kill(::getpid(), SIGHUP);
  signals.move_to(second);
  run_for(first, milliseconds(5));
  CHECK(arrived.empty());
  ::kill(::getpid(), SIGTERM);
  run_for(second, milliseconds(20));
  CHECK(std::set<int>(arrived.begin(), arrived.end()) == std::set<int>{SIGHUP, SIGTERM});
}
