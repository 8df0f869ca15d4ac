#include <algorithm>
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/agent.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

using Action = CertificateOutcome::Action;

std::optional<Error> unknown_ca(const std::string& name, const Config& config) {
  if (name.empty() || config.find_ca(name) != nullptr) return {};
  std::string message = "no CA is named \"" + name + "\"; the configuration has:";
  for (const CaConfig& ca : config.cas) message += " " + ca.name;
  return usage_error("UNKNOWN_CA", std::move(message));
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
    case Action::would_deploy:
      return "would be deployed again: " + generation;
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
  std::cout << outcome.name << ": " << acme::printable(headline(outcome)) << '\n';
  if (outcome.unverified) {
    std::cout << "  UNVERIFIED: no local TLS listener answers for its names; is the server up? "
                 "List its endpoints to be sure\n";
  }
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
  const bool unverified =
      std::any_of(outcomes.begin(), outcomes.end(),
                  [](const CertificateOutcome& outcome) { return outcome.unverified; });
  if (unverified) return exit_status::undecided;
  return any(Action::waiting) ? exit_status::undecided : exit_status::ok;
}

}  // namespace

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config) {
  if (const auto error = unknown_name(command.options.names, config)) return refuse(global, *error);
  if (const auto error = unknown_ca(command.options.ca, config)) return refuse(global, *error);
  RealWorld real(world_options(config));
  int interrupted = 0;
  const SignalWatch signals(real.loop(), [&](int number) {
    interrupted = number;
    real.stop();
  });
  const World world = real.world();
  EventStream events(world.clock);
  events.add_reader(open_stderr(world.clock, global.verbosity));
  Agent agent(world, config, events, make_solver);
  std::optional<Result<std::vector<CertificateOutcome>>> outcomes;
  const auto renew = [&](Result<void> opened) {
    if (!opened) {
      outcomes = Result<std::vector<CertificateOutcome>>(fail(opened.error()));
      return;
    }
    agent.renew(command.options,
                [&](std::vector<CertificateOutcome> result) { outcomes = std::move(result); });
  };
  // A dry run touches nothing, not even the lock.
  if (command.options.dry_run) {
    renew({});
  } else {
    agent.open("nolapse renew", renew);
  }
  real.run_until([&] { return outcomes.has_value(); });
  if (interrupted != 0) {
    std::cerr << "nolapse: interrupted; the next renew goes on with what was begun\n";
    return 128 + interrupted;
  }
  if (!*outcomes) return refuse(global, outcomes->error());
  if (global.json) {
    std::cout << renew_document(**outcomes);
  } else {
    for (const CertificateOutcome& outcome : **outcomes) print(outcome);
  }
  return status_of(**outcomes);
}

}  // namespace nolapse
