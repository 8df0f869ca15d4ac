// `nolapse account`: in this process, or done by the daemon that holds the state directory.
#include <iostream>
#include <optional>
#include <string>

#include "agent/core/agent.h"
#include "agent/front/account_output.h"
#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"
#include "agent/world/terminal.h"

namespace nolapse {
namespace {

// The end of an account cannot be undone: which one is to be said, and that it is meant.
std::optional<Error> not_meant(const GlobalOptions& global, const AccountCommand& command,
                               const Config& config) {
  if (command.action != AccountAction::deactivate) return {};
  if (command.ca.empty() && config.cas.size() > 1) {
    return usage_error("CA_NOT_NAMED",
                       "there are several CAs; say with --ca which account is to end");
  }
  if (command.yes) return {};
  const std::string ca = command.ca.empty() ? config.cas.front().name : command.ca;
  if (!global.json && terminal::is_terminal()) {
    std::cerr
        << "The account at " << ca
        << " ends for good, and nothing can be renewed with it.\nType the CA's name to go on: "
        << std::flush;
    std::string answer;
    if (std::getline(std::cin, answer) && answer == ca) return {};
  }
  return usage_error("NOT_CONFIRMED",
                     "the account at " + ca +
                         " would end for good, nothing was done; --yes says that this is meant");
}

}  // namespace

int run_account(const GlobalOptions& global, const AccountCommand& command, const Config& config) {
  if (const auto error = unknown_ca(command.ca, config)) return refuse(global, *error);
  if (const auto error = not_meant(global, command, config)) return refuse(global, *error);

  RealWorld real(world_options(config));
  ControlRequest request;
  request.command = ControlRequest::Command::account;
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.action = command.action;
  request.ca = command.ca;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());

  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<std::vector<AccountOutcome>>> outcomes;
  agent.open("nolapse account", [&](const Result<void>& opened) {
    if (!opened) {
      outcomes = Result<std::vector<AccountOutcome>>(fail(opened.error()));
      return;
    }
    agent.work_on_accounts(command.action, command.ca, [&](std::vector<AccountOutcome> result) {
      outcomes = std::move(result);
    });
  });
  real.run_until([&] { return outcomes.has_value(); });
  if (!*outcomes) return refuse(global, outcomes->error());
  return write_accounts(std::cout, global.json, **outcomes);
}

}  // namespace nolapse
