// `nolapse check`: the self-tests, by the daemon where one runs, because only it has the user, the
// environment and the listeners that a renewal will have; else by this process.
#include <algorithm>
#include <iostream>
#include <set>

#include "acme/json_read.h"
#include "agent/core/agent.h"
#include "agent/core/nearest.h"
#include "agent/core/renewal_doubts.h"
#include "agent/core/self_test_watch.h"
#include "agent/front/check_output.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/progress.h"
#include "agent/solvers/solvers.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

CheckStyle style_of(const GlobalOptions& global, const CheckCommand& command) {
  return {global.json, command.nagios, global.verbosity};
}

// A monitoring system takes 2 for an outage, and reads nothing but stdout.
int refuse_check(const GlobalOptions& global, bool nagios, const Error& error) {
  if (!nagios) return refuse(global, error);
  std::cout << nagios_refusal(error.message);
  return exit_status::undecided;
}

// Nothing where a signal ended it.
std::optional<Findings> check_alone(RealWorld& real, const GlobalOptions& global,
                                    const CheckCommand& command, const Config& config,
                                    int& interrupted) {
  const SignalWatch signals(real.loop(), [&](int number) {
    interrupted = number;
    real.stop();
  });
  const World world = real.world();
  EventStream events(world.clock);
  if (!command.nagios) events.add_reader(open_stderr(world.clock, std::min(global.verbosity, 0)));
  Agent agent(world, config, events, make_solver);
  std::optional<Findings> findings;
  const std::vector<std::string> names = config.with_families(command.names);
  agent.check({names, command.deep}, {}, [&](Findings found) { findings = std::move(found); });
  real.run_until([&] { return findings.has_value(); });
  if (!findings) return {};
  const HostEvidence evidence = read_host_evidence(world, config);
  if (evidence.findings) keep_since(findings->all, evidence.findings->findings, findings->at);
  // A host without a daemon is not to blame for what none looked at.
  DeepView view{config, names};
  using State = Heartbeat::State;
  const State state = evidence.heartbeat.state;
  if (state != State::never && state != State::renewed) view.expected_since = Time{};
  take_over_deep(*findings, evidence.findings, view);
  return findings;
}

}  // namespace

int run_check(const GlobalOptions& global, const CheckCommand& command, const Config& config) {
  if (const auto error = unknown_name(command.names, config)) {
    return refuse_check(global, command.nagios, *error);
  }
  const std::set<std::string> names(command.names.begin(), command.names.end());
  RealWorld real(world_options(config));
  ControlRequest request;
  request.command = ControlRequest::Command::check;
  request.names = config.with_families(command.names);
  request.json = global.json;
  request.verbosity = global.verbosity;
  request.deep = command.deep;
  request.nagios = command.nagios;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (!nobody_to_join(joined.error())) {
    std::cerr << "nolapse: " << acme::printable(joined.error().message)
              << "; this process looks for itself\n";
  }
  int interrupted = 0;
  const auto findings = check_alone(real, global, command, config, interrupted);
  if (!findings) return 128 + interrupted;
  const std::size_t certificates =
      command.names.empty() ? config.certificates.size() + config.watches.size() : names.size();
  return write_findings(std::cout, style_of(global, command), *findings, certificates);
}

int explain_checks(const GlobalOptions& global, const CheckCommand& command) {
  if (command.list) {
    write_code_list(std::cout, global.json);
    return 0;
  }
  if (const CodePage* page = find_code_page(command.explain)) {
    write_code_page(std::cout, global.json, *page);
    return 0;
  }
  std::vector<std::string> codes;
  for (const CodePage& page : code_pages()) codes.emplace_back(page.code);
  const Nearest known = nearest(command.explain, codes);
  return refuse_check(
      global, command.nagios,
      usage_error("UNKNOWN_CODE", "there is no code \"" + command.explain + "\"; " +
                                      (known.likely ? "did you mean " + known.word + "? " : "") +
                                      "`nolapse check --list` names all"));
}

int report_broken_config(const GlobalOptions& global, const CheckCommand& command,
                         const std::vector<ConfigProblem>& problems) {
  Findings findings;
  findings.at = RealWorld({}).world().clock.now();
  for (const ConfigProblem& problem : problems) {
    const bool whole_file = problem.line == 0;
    findings.all.push_back(
        {"CONFIG_BROKEN",
         {},
         problem.file + (whole_file ? std::string() : ":" + std::to_string(problem.line)),
         FindingSeverity::error,
         "the configuration cannot be used: " + (problem.key.empty() ? "" : problem.key + ": ") +
             problem.reason,
         problem.text(),
         problem.fix,
         {}});
  }
  write_findings(std::cout, style_of(global, command), findings, 0);
  return 2;
}

}  // namespace nolapse
