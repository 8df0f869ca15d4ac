// Rehearses in this process, or has the daemon do it that holds the state directory: then both show
// and end alike.
#include <iostream>
#include <optional>

#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/front/rehearsal_output.h"
#include "agent/solvers/solvers.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

using Outcomes = Result<std::vector<CertificateRehearsal>>;

// Nothing where a signal ended it.
std::optional<Outcomes> rehearse_alone(RealWorld& real, const GlobalOptions& global,
                                       const std::vector<std::string>& names, const Config& config,
                                       int& interrupted) {
  const SignalWatch signals(real.loop(), [&](int number) {
    interrupted = number;
    real.stop();
  });
  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Outcomes> outcomes;
  agent.open("nolapse rehearse", [&](const Result<void>& opened) {
    if (!opened) {
      outcomes = Outcomes(fail(opened.error()));
      return;
    }
    agent.rehearse(names, {},
                   [&](std::vector<CertificateRehearsal> result) { outcomes = std::move(result); });
  });
  real.run_until([&] { return outcomes.has_value(); });
  return outcomes;
}

}  // namespace

int run_rehearse(const GlobalOptions& global, const RehearseCommand& command,
                 const Config& config) {
  if (const auto error = not_to_renew(command.names, config)) return refuse(global, *error);
  ControlRequest request;
  request.command = ControlRequest::Command::rehearse;
  request.names = config.with_families(command.names);
  request.json = global.json;
  request.verbosity = global.verbosity;
  // The second round is for a daemon that took the lock after the first look for one.
  for (bool second = false;; second = true) {
    RealWorld real(world_options(config));
    const auto joined = join_daemon(real.loop(), global, config, request);
    if (joined) return *joined;
    if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());
    int interrupted = 0;
    const auto outcomes = rehearse_alone(real, global, request.names, config, interrupted);
    if (interrupted != 0) {
      std::cerr << "nolapse: interrupted; the next rehearsal takes away what was begun\n";
      return 128 + interrupted;
    }
    if (*outcomes) return write_rehearsals(std::cout, global.json, **outcomes);
    const Error& error = outcomes->error();
    if (second || error.kind != ErrorKind::held) return refuse(global, error);
  }
}

}  // namespace nolapse
