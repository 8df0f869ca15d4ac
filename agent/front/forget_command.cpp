// Forgets in this process, or has the daemon do it that holds the state directory.
#include <iostream>
#include <optional>

#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/json_output.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"

namespace nolapse {

int run_forget(const GlobalOptions& global, const ForgetCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  ControlRequest request;
  request.command = ControlRequest::Command::forget;
  request.names = {command.name};
  request.json = global.json;
  request.verbosity = global.verbosity;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());

  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<void>> forgotten;
  agent.open("nolapse forget", [&](Result<void> opened) {
    if (!opened) {
      forgotten = std::move(opened);
      return;
    }
    agent.forget(command.name, [&](Result<void> outcome) { forgotten = std::move(outcome); });
  });
  real.run_until([&] { return forgotten.has_value(); });
  if (!*forgotten) return refuse(global, forgotten->error());
  std::cout << (global.json ? forgotten_document(command.name) : forgotten_line(command.name));
  return exit_status::ok;
}

}  // namespace nolapse
