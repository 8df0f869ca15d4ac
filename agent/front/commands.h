// The commands. Each takes a sound configuration and returns the exit status.
#pragma once

#include "agent/core/alert.h"
#include "agent/front/cli.h"
#include "agent/world/real_world.h"

namespace nolapse {

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config);
int run_status(const GlobalOptions& global, const StatusCommand& command, const Config& config);
int run_rehearse(const GlobalOptions& global, const RehearseCommand& command, const Config& config);
int run_check(const GlobalOptions& global, const CheckCommand& command, const Config& config);
// Without a configuration: `--list` and `--explain`.
int explain_checks(const GlobalOptions& global, const CheckCommand& command);
// With one that cannot be used: that is a finding, too.
int report_broken_config(const GlobalOptions& global, const CheckCommand& command,
                         const std::vector<ConfigProblem>& problems);
// Whatever became of the configuration.
int run_diagnose(const GlobalOptions& global, const DiagnoseCommand& command,
                 const ConfigResult& loaded);
int run_alert(const GlobalOptions& global, const AlertCommand& command, const Config& config);
int run_alert_list(const GlobalOptions& global, const Config& config);
// What is lost with an alerts.json that cannot be read.
std::string damage_in_words(const Error& error);
// Works without a configuration.
int run_scan(const GlobalOptions& global, const ScanCommand& command, const ConfigResult& loaded);
int run_report(const GlobalOptions& global, const ReportCommand& command, const Config& config);
std::string silenced_text(const Silence& silence, Time now, bool json);
int run_forget(const GlobalOptions& global, const ForgetCommand& command, const Config& config);
int run_revoke(const GlobalOptions& global, const RevokeCommand& command, const Config& config);
int run_account(const GlobalOptions& global, const AccountCommand& command, const Config& config);
int run_check_config(const GlobalOptions& global, const Config& config);
// Until a signal ends it. The configuration is the first one; SIGHUP brings others.
int run_daemon(const GlobalOptions& global, Config config);

// As root, beside a daemon of another user. Until a signal ends it.
int run_hooks(const GlobalOptions& global, const HooksCommand& command, Config config);

// What the command line says to read, as it is now.
ConfigResult read_configuration(const Files& files, const GlobalOptions& global,
                                ConfigUse use = ConfigUse::work);

// As given on the command line; the files of the world take absolute paths. Empty: empty.
std::string absolute_path(const std::string& path);

// The world as this configuration wants it.
RealWorld::Options world_options(const Config& config);

// Nothing: all of them are known, and there is something to look at at all.
std::optional<Error> unknown_name(const std::vector<std::string>& names, const Config& config);
// Likewise for a status, which those have, too, whose configuration is gone.
std::optional<Error> unknown_to_status(const std::vector<std::string>& names, const Config& config,
                                       const Files& files);
// For work on them: those of a [[watch]] are refused, because somebody else renews them.
std::optional<Error> not_to_renew(const std::vector<std::string>& names, const Config& config);
// Nothing: it is known, or none was named.
std::optional<Error> unknown_ca(const std::string& name, const Config& config);
// Nothing: all these certificates go to it, or none was named. A section's name is one, too.
std::optional<Error> unknown_target(const std::string& target,
                                    const std::vector<std::string>& certificates,
                                    const Config& config);
// For what a person got wrong on the command line.
Error usage_error(std::string code, std::string message);

// For a command that could not begin: one line on stderr, or the document for --json.
int refuse(const GlobalOptions& global, const Error& error);
int exit_status_of(const Error& error);
// For one that a signal ended: the same, with what it leaves behind.
inline int end_interrupted(const GlobalOptions& global, int signal,
                           const std::string& left_behind) {
  refuse(global, {ErrorKind::transient, "INTERRUPTED", "interrupted; " + left_behind, {}, {}});
  return 128 + signal;
}

}  // namespace nolapse
