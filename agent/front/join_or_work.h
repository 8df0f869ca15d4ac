// How a command that changes the state directory is done: by the daemon that holds it, or else by
// an agent of this process. Both show and end alike.
#pragma once

#include <iostream>
#include <optional>
#include <string>

#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"
#include "agent/world/signals.h"

namespace nolapse {

// What an agent of this process does, and what is said of it.
template <class T>
struct OwnWork {
  std::string holder;  // "nolapse renew", as whom it takes the lock
  std::function<void(Agent&, std::function<void(Result<T>)>)> work;
  std::function<int(const T&)> write;  // gives the exit status
  std::string interrupted;             // what a signal leaves behind, for people
  bool only_looks = false;             // nobody is joined, and no lock is taken
};

// Nothing where a signal ended it.
template <class T>
std::optional<Result<T>> work_alone(RealWorld& real, const GlobalOptions& global,
                                    const Config& config, const OwnWork<T>& own, int& interrupted) {
  const SignalWatch signals(real.loop(), [&](int number) {
    interrupted = number;
    real.stop();
  });
  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<T>> outcome;
  const auto keep = [&](Result<T> result) { outcome = std::move(result); };
  if (own.only_looks) {
    own.work(agent, keep);
  } else {
    agent.open(own.holder, [&](const Result<void>& opened) {
      if (!opened) return keep(Result<T>(fail(opened.error())));
      own.work(agent, keep);
    });
  }
  real.run_until([&] { return outcome.has_value(); });
  return outcome;
}

// Gives the exit status.
template <class T>
int join_or_work(const GlobalOptions& global, const Config& config, const ControlRequest& request,
                 const OwnWork<T>& own) {
  // The second round is for a daemon that took the lock after the first look for one.
  for (bool second = false;; second = true) {
    RealWorld real(world_options(config));
    if (!own.only_looks) {
      const auto joined = join_daemon(real.loop(), global, config, request);
      if (joined) return *joined;
      if (!nobody_to_join(joined.error())) return refuse(global, joined.error());
    }
    int interrupted = 0;
    const auto outcome = work_alone(real, global, config, own, interrupted);
    if (!outcome) return end_interrupted(global, interrupted, own.interrupted);
    if (*outcome) return own.write(**outcome);
    const Error& error = outcome->error();
    if (second || error.kind != ErrorKind::held) return refuse(global, error);
  }
}

}  // namespace nolapse
