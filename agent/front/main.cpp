// nolapse: reads the command line, then the configuration, then runs one command.
#include <algorithm>
#include <iostream>

#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

int refuse_config(const GlobalOptions& global, const ConfigResult& loaded) {
  if (global.json) {
    std::cout << problems_document(loaded.problems);
  } else {
    for (const ConfigProblem& problem : loaded.problems) std::cerr << problem.text() << '\n';
  }
  return exit_status::usage;
}

// Only the files of this world are used: what another one needs to know stands in them.
ConfigResult load(const CommandLine& line) {
  RealWorld reader{{}};
  const bool looks = std::holds_alternative<StatusCommand>(line.command) ||
                     std::holds_alternative<DiagnoseCommand>(line.command) ||
                     std::holds_alternative<CheckCommand>(line.command) ||
                     std::holds_alternative<ReportCommand>(line.command) ||
                     std::holds_alternative<ScanCommand>(line.command) ||
                     std::holds_alternative<HooksCommand>(line.command);
  return read_configuration(reader.world().files, line.global,
                            looks ? ConfigUse::look : ConfigUse::work);
}

// The certificates that a person wants worked on now, by name, as in an incident.
std::vector<std::string> urgent_names(const Command& command) {
  const auto* const renew = std::get_if<RenewCommand>(&command);
  if (renew == nullptr) return {};
  const bool urgent = renew->options.force || renew->options.work != RenewOptions::Work::renew;
  return urgent ? renew->options.names : std::vector<std::string>();
}

// Is it of a section that this certificate rests on?
bool concerns(const ConfigProblem& problem, const CertificateSpec& spec, const Config& config) {
  std::vector<std::string> sections = {"certificate." + spec.family};
  for (const std::string& name : spec.challenges) sections.push_back("challenge." + name);
  for (const std::string& name : spec.cas) sections.push_back("ca." + name);
  for (const std::string& name : spec.deploy) {
    const auto target = config.targets.find(name);
    if (target != config.targets.end()) sections.push_back("deploy." + target->second.section);
  }
  return std::any_of(sections.begin(), sections.end(), [&](const std::string& section) {
    return problem.key.starts_with(section + ".");
  });
}

// A hook or a key file of another certificate that is missing must not be in the way in an
// incident. What is wrong in the text, or with what these certificates need, stays an error.
void go_on_without_others(const CommandLine& line, ConfigResult& loaded) {
  const std::vector<std::string> names = urgent_names(line.command);
  if (loaded.problems.empty() || names.empty()) return;
  RealWorld reader{{}};
  ConfigResult text_alone = read_configuration(reader.world().files, line.global, ConfigUse::look);
  if (!text_alone.problems.empty()) return;
  const Config& config = text_alone.config;
  for (const std::string& name : config.with_families(names)) {
    const CertificateSpec* const spec = config.find_certificate(name);
    if (spec == nullptr) continue;
    for (const ConfigProblem& problem : loaded.problems) {
      if (concerns(problem, *spec, config)) return;
    }
  }
  for (const ConfigProblem& problem : loaded.problems) {
    std::cerr << "nolapse: going on in spite of: " << problem.text() << '\n';
  }
  loaded = std::move(text_alone);
}

int run(const CommandLine& line) {
  const auto* const check = std::get_if<CheckCommand>(&line.command);
  if (check != nullptr && (check->list || !check->explain.empty())) {
    return explain_checks(line.global, *check);
  }
  ConfigResult loaded = load(line);
  if (const auto* diagnose = std::get_if<DiagnoseCommand>(&line.command)) {
    return run_diagnose(line.global, *diagnose, loaded);
  }
  if (const auto* scan = std::get_if<ScanCommand>(&line.command)) {
    return run_scan(line.global, *scan, loaded);
  }
  go_on_without_others(line, loaded);
  if (check != nullptr && !loaded.problems.empty()) {
    return report_broken_config(line.global, *check, loaded.problems);
  }
  if (!loaded.problems.empty()) return refuse_config(line.global, loaded);
  const Config& config = loaded.config;
  if (const auto* renew = std::get_if<RenewCommand>(&line.command)) {
    return run_renew(line.global, *renew, config);
  }
  if (const auto* rehearse = std::get_if<RehearseCommand>(&line.command)) {
    return run_rehearse(line.global, *rehearse, config);
  }
  if (check != nullptr) return run_check(line.global, *check, config);
  if (const auto* alert = std::get_if<AlertCommand>(&line.command)) {
    return run_alert(line.global, *alert, config);
  }
  if (const auto* report = std::get_if<ReportCommand>(&line.command)) {
    return run_report(line.global, *report, config);
  }
  if (const auto* forget = std::get_if<ForgetCommand>(&line.command)) {
    return run_forget(line.global, *forget, config);
  }
  if (const auto* revoke = std::get_if<RevokeCommand>(&line.command)) {
    return run_revoke(line.global, *revoke, config);
  }
  if (const auto* account = std::get_if<AccountCommand>(&line.command)) {
    return run_account(line.global, *account, config);
  }
  if (const auto* status = std::get_if<StatusCommand>(&line.command)) {
    return run_status(line.global, *status, config);
  }
  if (std::holds_alternative<DaemonCommand>(line.command)) {
    return run_daemon(line.global, std::move(loaded.config));
  }
  if (const auto* hooks = std::get_if<HooksCommand>(&line.command)) {
    return run_hooks(line.global, *hooks, std::move(loaded.config));
  }
  return run_check_config(line.global, config);
}

}  // namespace
}  // namespace nolapse

int main(int argc, char** argv) {
  const auto parsed = nolapse::parse_command_line(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const int status = nolapse::run(std::get<nolapse::CommandLine>(parsed));
  if (std::cout.flush()) return status;
  std::cerr << "nolapse: the output could not be written\n";
  return nolapse::exit_status::failed;
}
