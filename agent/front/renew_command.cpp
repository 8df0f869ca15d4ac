// Renews in this process, or has the daemon do it that holds the state directory: then both show
// and end alike.
#include <iostream>

#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/front/renewal_output.h"
#include "agent/solvers/solvers.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

using Outcomes = Result<std::vector<CertificateOutcome>>;

ControlRequest request_for(const GlobalOptions& global, const RenewOptions& options) {
  ControlRequest request;
  request.command = ControlRequest::Command::renew;
  if (options.work == RenewOptions::Work::deploy) request.command = ControlRequest::Command::deploy;
  if (options.work == RenewOptions::Work::roll_back) {
    request.command = ControlRequest::Command::rollback;
  }
  request.target = options.target;
  request.generation = options.generation;
  request.names = options.names;
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.force = options.force;
  request.again = options.again;
  request.deploy = options.deploy;
  request.ca = options.ca;
  return request;
}

// Nobody is there to be joined, or not for us: what comes of doing it ourselves says more.
bool may_work_alone(const Error& error) {
  return error.code == "NO_DAEMON" || error.code == "PERMISSION_DENIED" ||
         error.code == "FILE_ERROR";
}

const char* holder_of(const RenewOptions& options) {
  if (options.work == RenewOptions::Work::deploy) return "nolapse deploy";
  return options.work == RenewOptions::Work::roll_back ? "nolapse rollback" : "nolapse renew";
}

// Nothing where a signal ended it.
std::optional<Outcomes> renew_alone(RealWorld& real, const GlobalOptions& global,
                                    const RenewOptions& options, const Config& config,
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
  const auto renew = [&](Result<void> opened) {
    if (!opened) {
      outcomes = Outcomes(fail(opened.error()));
      return;
    }
    agent.renew(options,
                [&](std::vector<CertificateOutcome> result) { outcomes = std::move(result); });
  };
  // A dry run touches nothing, not even the lock.
  if (options.dry_run) {
    renew({});
  } else {
    agent.open(holder_of(options), renew);
  }
  real.run_until([&] { return outcomes.has_value(); });
  return outcomes;
}

}  // namespace

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config) {
  RenewOptions options = command.options;
  if (const auto error = not_to_renew(options.names, config)) return refuse(global, *error);
  if (const auto error = unknown_target(options.target, options.names, config)) {
    return refuse(global, *error);
  }
  options.names = config.with_families(options.names);
  if (const auto error = unknown_ca(options.ca, config)) return refuse(global, *error);
  // The second round is for a daemon that took the lock after the first look for one.
  for (bool second = false;; second = true) {
    RealWorld real(world_options(config));
    if (!options.dry_run) {
      const auto joined = join_daemon(real.loop(), global, config, request_for(global, options));
      if (joined) return *joined;
      if (!may_work_alone(joined.error())) return refuse(global, joined.error());
    }
    int interrupted = 0;
    const auto outcomes = renew_alone(real, global, options, config, interrupted);
    if (interrupted != 0) {
      std::cerr << "nolapse: interrupted; the next run goes on with what was begun\n";
      return 128 + interrupted;
    }
    if (*outcomes) return write_renewal(std::cout, global.json, **outcomes);
    const Error& error = outcomes->error();
    if (second || error.kind != ErrorKind::held) return refuse(global, error);
  }
}

}  // namespace nolapse
