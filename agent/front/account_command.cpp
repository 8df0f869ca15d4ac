// `nolapse account`.
#include "agent/front/account_output.h"
#include "agent/front/join_or_work.h"
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

  using Outcomes = std::vector<AccountOutcome>;
  ControlRequest request;
  request.command = ControlRequest::Command::account;
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.action = command.action;
  request.ca = command.ca;
  OwnWork<Outcomes> own;
  own.holder = "nolapse account";
  own.work = [&](Agent& agent, const std::function<void(Result<Outcomes>)>& done) {
    agent.work_on_accounts(command.action, command.ca, done);
  };
  own.write = [&](const Outcomes& outcomes) {
    return write_accounts(std::cout, global.json, outcomes);
  };
  own.interrupted = "say it again, and see `nolapse account show`";
  return join_or_work(global, config, request, own);
}

}  // namespace nolapse
