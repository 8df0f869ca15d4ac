// Revokes in this process, or has the daemon do it that holds the state directory.
#include <iostream>
#include <optional>

#include "acme/revocation_list.h"
#include "agent/core/agent.h"
#include "agent/front/account_output.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"

namespace nolapse {

int run_revoke(const GlobalOptions& global, const RevokeCommand& command, const Config& config) {
  RevocationRequest revocation = command.request;
  const auto reason = acme::parse_revocation_reason(command.reason);
  if (!reason) {
    return refuse(global,
                  usage_error("UNKNOWN_REASON", "\"" + command.reason +
                                                    "\" is no reason; unspecified, keyCompromise, "
                                                    "affiliationChanged, superseded and "
                                                    "cessationOfOperation are"));
  }
  revocation.reason = *reason;

  RealWorld real(world_options(config));
  ControlRequest request;
  request.command = ControlRequest::Command::revoke;
  request.names = {revocation.name};
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.reason = revocation.reason;
  request.generation = revocation.generation;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());

  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<RevocationOutcome>> revoked;
  agent.open("nolapse revoke", [&](const Result<void>& opened) {
    if (!opened) {
      revoked = Result<RevocationOutcome>(fail(opened.error()));
      return;
    }
    agent.revoke(revocation, [&](Result<RevocationOutcome> outcome) { revoked = outcome; });
  });
  real.run_until([&] { return revoked.has_value(); });
  if (!*revoked) return refuse(global, revoked->error());
  std::cout << (global.json ? revoked_document(revocation.name, **revoked)
                            : revoked_text(revocation.name, **revoked, false));
  return exit_status::ok;
}

}  // namespace nolapse
