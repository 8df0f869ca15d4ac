// The command line as values. Only cli.cpp knows CLI11.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "agent/core/certificate_job.h"
#include "agent/core/revocation.h"

namespace nolapse {

struct GlobalOptions {
  std::string config_path = "/etc/nolapse/nolapse.toml";
  std::string state_directory;  // overrides the file's when not empty
  bool json = false;
  int verbosity = 0;  // -1 quiet, 0, 1 every request
};

struct RenewCommand {  // also deploy and rollback
  RenewOptions options;
};
struct StatusCommand {
  std::vector<std::string> names;
};
struct RehearseCommand {
  std::vector<std::string> names;  // empty: all
};
struct DiagnoseCommand {
  std::vector<std::string> targets;                // empty: all that is known
  std::vector<std::string> resolve;                // HOST:PORT:ADDRESS
  std::string roots_file;                          // empty: what is configured, else the system's
  std::vector<std::string> server_configurations;  // empty: those of this host
};
struct ForgetCommand {
  std::string name;
};
struct RevokeCommand {
  RevocationRequest request;
  std::string reason = "unspecified";  // as given: by name or number
};
struct AccountCommand {
  AccountAction action = AccountAction::show;
  std::string ca;    // empty: all
  bool yes = false;  // what cannot be undone is meant
};
struct CheckCommand {
  std::vector<std::string> names;
  bool deep = false;
  bool list = false;
  std::string explain;  // a code; empty: none
  bool nagios = false;
};
struct AlertCommand {
  enum class Action { list, silence, test };
  Action action = Action::list;
  std::string what;      // silence: a certificate or a code; test: a channel, empty: all
  std::string duration;  // silence: "24h"
  std::string why;
};
struct ScanCommand {
  std::vector<std::string> targets;  // paths and endpoints; none: what this host uses
  std::string endpoints_file;        // one a line, "-": stdin; empty: none
  bool watch = false;                // print sections for the configuration
};
struct ReportCommand {
  std::string html;   // a file, "-" for stdout; empty: text
  std::string since;  // as given; empty: 30 days ago
};
struct CheckConfigCommand {};
struct DaemonCommand {};
struct HooksCommand {
  std::string socket;   // empty: where the configuration says
  std::string staging;  // empty: beside the socket
};
using Command =
    std::variant<RenewCommand, StatusCommand, DiagnoseCommand, RehearseCommand, ForgetCommand,
                 RevokeCommand, AccountCommand, AlertCommand, CheckCommand, CheckConfigCommand,
                 DaemonCommand, HooksCommand, ReportCommand, ScanCommand>;

struct CommandLine {
  GlobalOptions global;
  Command command;
};

// A command, or the exit status where help, version or a usage error has been printed already.
std::variant<CommandLine, int> parse_command_line(int argc, const char* const* argv);

}  // namespace nolapse
