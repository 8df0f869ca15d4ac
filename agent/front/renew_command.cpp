#include <algorithm>
#include <iostream>

#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"
#include "agent/world/real_world.h"

namespace nolapse {
namespace {

using Action = CertificateOutcome::Action;

bool ca_is_known(const std::string& name, const Config& config) {
  if (name.empty() || config.find_ca(name) != nullptr) return true;
  std::cerr << "nolapse: no CA is named \"" << name << "\"; the configuration has:";
  for (const CaConfig& ca : config.cas) std::cerr << ' ' << ca.name;
  std::cerr << '\n';
  return false;
}

std::string headline(const CertificateOutcome& outcome) {
  const std::string took = " in " + acme::format_duration(outcome.took);
  const std::string generation =
      outcome.generation
          ? "generation " + std::to_string(outcome.generation->number) + ", valid until " +
                acme::format_rfc3339(outcome.generation->leaf().not_after)
          : "no certificate";
  switch (outcome.action) {
    case Action::not_due:
      return "not due: " + outcome.reason;
    case Action::would_renew:
      return "would be renewed: " + outcome.reason;
    case Action::renewed:
      return "renewed" + took + " (" + outcome.reason + "): " + generation;
    case Action::deployed:
      return "deployed again" + took + ": " + generation;
    case Action::waiting:
      return "WAITING: " + outcome.error->message;
    case Action::failed:
      break;
  }
  return (outcome.issued ? "ISSUED BUT NOT SERVED: " : "FAILED: ") + outcome.error->message;
}

void print(const CertificateOutcome& outcome) {
  std::cout << outcome.name << ": " << headline(outcome) << '\n';
  for (const EndpointState& state : outcome.endpoints) {
    std::cout << "  " << (state.ok() ? "ok  " : "BAD ") << state.endpoint;
    if (!state.address.empty()) std::cout << " at " << state.address;
    std::cout << ' ' << state.detail << '\n';
  }
}

int status_of(const std::vector<CertificateOutcome>& outcomes) {
  const auto any = [&](Action action) {
    return std::any_of(outcomes.begin(), outcomes.end(),
                       [&](const CertificateOutcome& outcome) { return outcome.action == action; });
  };
  if (any(Action::failed)) return exit_status::failed;
  return any(Action::waiting) ? exit_status::undecided : exit_status::ok;
}

}  // namespace

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config) {
  if (!names_are_known(command.options.names, config) || !ca_is_known(command.options.ca, config)) {
    return exit_status::usage;
  }
  RealWorld real{{config.state_directory, config.resolver}};
  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<std::vector<CertificateOutcome>>> outcomes;
  agent.renew(command.options, [&](Result<std::vector<CertificateOutcome>> result) {
    outcomes = std::move(result);
  });
  real.run_until([&] { return outcomes.has_value(); });
  if (!*outcomes) return refuse(global, outcomes->error());
  if (global.json) {
    std::cout << renew_document(**outcomes);
  } else {
    for (const CertificateOutcome& outcome : **outcomes) print(outcome);
  }
  return status_of(**outcomes);
}

}  // namespace nolapse
