#include "agent/front/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "acme/json_read.h"
#include "agent/core/config_section.h"
#include "agent/front/check_output.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

constexpr const char* exit_statuses =
    "Exit status: 0 all is well, 1 something failed, 2 usage or configuration error,\n"
    "3 undecided (held by a lock, waiting for a CA, unknown).";

// Gives --json, which some options cannot stand beside.
CLI::Option* add_global_options(CLI::App& app, GlobalOptions& global, bool& verbose, bool& quiet) {
  app.add_option("--config", global.config_path, "configuration file (also $NOLAPSE_CONFIG)")
      ->capture_default_str();
  app.add_option("--state-dir", global.state_directory, "state directory, overrides the file's");
  auto* json =
      app.add_flag("--json", global.json, "one JSON document on stdout, nothing else there");
  auto* more = app.add_flag("-v,--verbose", verbose, "show every request");
  app.add_flag("-q,--quiet", quiet, "show warnings and errors only")->excludes(more);
  app.set_version_flag("--version", "nolapse " NOLAPSE_VERSION);
  return json;
}

CLI::App* add_renew(CLI::App& app, RenewCommand& renew, bool& no_deploy) {
  CLI::App* command =
      app.add_subcommand("renew", "obtain what is missing, renew what is due, deploy, verify");
  command->add_option("NAME", renew.options.names, "certificates; none: all");
  auto* force = command->add_flag("--force", renew.options.force, "renew now, due or not");
  command
      ->add_flag("--again", renew.options.again,
                 "with --force: also where the CA's rate limits may be spent")
      ->needs(force);
  command->add_option("--ca", renew.options.ca, "ask this CA only");
  command->add_flag("--no-deploy", no_deploy, "issue only; leave the web servers alone");
  command->add_flag("--dry-run", renew.options.dry_run, "say what would be done, do nothing");
  return command;
}

CLI::App* add_deploy(CLI::App& app, RenewCommand& deploy) {
  CLI::App* command =
      app.add_subcommand("deploy", "bring a certificate to its targets again, and verify it");
  command->add_option("NAME", deploy.options.names, "the certificate")->required()->expected(1);
  command->add_option("--target", deploy.options.target, "only this one; default: all");
  command->add_option("--generation", deploy.options.generation, "not the newest, but this")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  deploy.options.work = RenewOptions::Work::deploy;
  return command;
}

CLI::App* add_rollback(CLI::App& app, RenewCommand& rollback) {
  CLI::App* command = app.add_subcommand(
      "rollback", "take the newest certificate back: the targets get the one before");
  command->add_option("NAME", rollback.options.names, "the certificate")->required()->expected(1);
  command->add_option("--target", rollback.options.target, "only from this one; default: all");
  rollback.options.work = RenewOptions::Work::roll_back;
  return command;
}

CLI::App* add_alert(CLI::App& app, AlertCommand& alert) {
  CLI::App* command = app.add_subcommand("alert", "whom is told what, and whether that arrives");
  command->require_subcommand(1);
  command->add_subcommand("list", "what is open, what is silent, and how the channels fare");
  CLI::App* silence =
      command->add_subcommand("silence", "quiet for a while; never about what is about to expire");
  silence->add_option("NAME|CODE", alert.what, "a certificate, or a code")->required();
  silence->add_option("--for", alert.duration, "how long, such as 24h; 0 ends it")->required();
  silence->add_option("--why", alert.why, "the reason, for those who wonder");
  silence->callback([&alert] { alert.action = AlertCommand::Action::silence; });
  CLI::App* test = command->add_subcommand("test", "send a test message through each channel");
  test->add_option("CHANNEL", alert.what, "only this one");
  test->callback([&alert] { alert.action = AlertCommand::Action::test; });
  return command;
}

CLI::App* add_check(CLI::App& app, CheckCommand& check, CLI::Option* json) {
  CLI::App* command =
      app.add_subcommand("check", "the self-tests: will everything be renewed, and what says so");
  command->add_option("NAME", check.names, "certificates; none: all, and this host");
  command->add_flag("--deep", check.deep,
                    "also ask the CAs, prove control of each name, and run the hooks' `check`");
  auto* list = command->add_flag("--list", check.list, "every code with its meaning");
  command->add_option("--explain", check.explain, "what a code means, and what to do")
      ->excludes(list);
  command->add_flag("--nagios", check.nagios, "one line and exit status as monitoring plugins do")
      ->excludes(json);
  return command;
}

CLI::App* add_diagnose(CLI::App& app, DiagnoseCommand& diagnose) {
  CLI::App* command = app.add_subcommand(
      "diagnose", "from a symptom to a cause: is it the certificate, and which command ends it");
  command->add_option("HOST[:PORT]|URL", diagnose.targets, "what fails; none: all that is known");
  command
      ->add_option("--resolve", diagnose.resolve,
                   "HOST:PORT:ADDRESS, connect there, whatever the name resolves to")
      ->allow_extra_args(false);
  command->add_option("--roots", diagnose.roots_file, "trust anchors in PEM; default: configured");
  command
      ->add_option("--server-config", diagnose.server_configurations,
                   "main configuration file of a server here; default: the known places")
      ->allow_extra_args(false);
  return command;
}

CLI::App* add_scan(CLI::App& app, ScanCommand& scan, CLI::Option* json) {
  CLI::App* command = app.add_subcommand(
      "scan", "which certificates this host uses or serves, and which of them nobody renews");
  command->add_option("PATH|HOST:PORT", scan.targets,
                      "files, folders, servers' configurations, HOST:PORT[#SNI][!STARTTLS]; none: "
                      "this host's servers");
  command->add_option("--endpoints", scan.endpoints_file,
                      "a file with one HOST:PORT a line; -: stdin");
  command->add_flag("--watch", scan.watch, "print [[watch]] sections for those that nobody renews")
      ->excludes(json);
  return command;
}

CLI::App* add_report(CLI::App& app, ReportCommand& report) {
  CLI::App* command = app.add_subcommand(
      "report", "what happened to all certificates, what is to come, what wants attention");
  command->add_option("--html", report.html, "write it as one page to this file; -: to stdout");
  command->add_option("--since", report.since,
                      "a day (2026-11-01), a time, or how long ago (90d); default: 30d");
  return command;
}

CLI::App* add_revoke(CLI::App& app, RevokeCommand& revoke) {
  CLI::App* command = app.add_subcommand(
      "revoke", "have the CA take back a certificate; the next look replaces it");
  command->add_option("NAME", revoke.request.name, "the certificate")->required();
  command
      ->add_option("--reason", revoke.reason,
                   "unspecified, keyCompromise, affiliationChanged, superseded, "
                   "cessationOfOperation, or a number of RFC 5280")
      ->capture_default_str();
  command->add_option("--generation", revoke.request.generation, "not the one in use, but this")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  return command;
}

CLI::App* add_account(CLI::App& app, AccountCommand& account) {
  CLI::App* command = app.add_subcommand("account", "the accounts at the CAs");
  command->require_subcommand(1);
  command->add_option("--ca", account.ca, "at this CA; default: all");
  const auto add = [&](AccountAction action, const char* what) {
    CLI::App* each = command->add_subcommand(name_of(action), what);
    each->callback([&account, action] { account.action = action; });
    return each;
  };
  add(AccountAction::show, "what the CA and this host know of it; makes none");
  add(AccountAction::roll_over, "give it a new key");
  add(AccountAction::update, "tell the CA the configured contacts");
  add(AccountAction::deactivate, "end it, for good")
      ->add_flag("--yes", account.yes, "this cannot be undone, and is meant");
  return command;
}

CLI::App* add_hooks(CLI::App& app, HooksCommand& hooks) {
  CLI::App* command = app.add_subcommand(
      "hooks", "run the daemon's deploy hooks as other users: a service of root's");
  command->add_option("--socket", hooks.socket, "listen there; default: the file's hook_socket");
  command->add_option("--staging", hooks.staging,
                      "folder for what hooks are given; default: staging beside the socket");
  return command;
}

// Of the public interface, and not there yet: a script that probes for one must not take it for
// there.
constexpr std::array later_commands = {"init", "import", "audit"};

// What is wrong where a command is wanted and another word stands; empty where that is not so.
std::string unknown_command(const CLI::App& app) {
  const CLI::App* place = &app;
  while (!place->get_subcommands().empty()) place = place->get_subcommands().front();
  const std::vector<std::string> words = app.remaining();
  if (place->get_require_subcommand_min() == 0 || words.empty()) return {};
  const std::string word = acme::printable(words.front(), 100);
  if (word.starts_with("-")) return "there is no option \"" + word + "\"";
  const std::string before = place == &app ? "" : place->get_name() + " ";
  if (place == &app &&
      std::find(later_commands.begin(), later_commands.end(), word) != later_commands.end()) {
    return "this version does not have the command \"" + word + "\" yet";
  }
  std::vector<std::string> commands;
  for (const CLI::App* each : place->get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(each->get_name());
  }
  return "there is no command \"" + before + word + "\"; " + suggest(word, commands);
}

// Gives the exit status. Help and the version are asked for by an "error", too.
int refuse_command_line(const CLI::App& app, const CLI::ParseError& error,
                        const std::vector<std::string>& words) {
  std::string reason = unknown_command(app);
  if (reason.empty()) {
    if (app.exit(error) == 0) return exit_status::ok;
    reason = error.what();
  } else {
    std::cerr << "nolapse: " << reason << "\nRun with --help for more information.\n";
  }
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (has("--json")) {
    std::cout << error_document({ErrorKind::input, "USAGE", std::move(reason), {}, {}});
  } else if (has("--nagios")) {
    std::cout << nagios_refusal(reason);
    return exit_status::undecided;
  }
  return exit_status::usage;
}

}  // namespace

std::variant<CommandLine, int> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  if (const char* path = std::getenv("NOLAPSE_CONFIG"); path != nullptr && *path != '\0') {
    line.global.config_path = path;
  }
  bool verbose = false;
  bool quiet = false;
  bool no_deploy = false;
  RenewCommand renew;
  RenewCommand deploy;
  RenewCommand rollback;
  StatusCommand status;
  RehearseCommand rehearse;
  CheckCommand check;
  DiagnoseCommand diagnose;
  AlertCommand alert;
  ReportCommand report;
  ScanCommand scan;
  ForgetCommand forget;
  RevokeCommand revoke;
  AccountCommand account;
  HooksCommand hooks;

  CLI::App app("nolapse keeps TLS certificates from lapsing.", "nolapse");
  app.footer(exit_statuses);
  app.failure_message([](const CLI::App* place, const CLI::Error& error) {
    return "nolapse: " + CLI::FailureMessage::simple(place, error);
  });
  app.require_subcommand(1);
  app.fallthrough();
  CLI::Option* json = add_global_options(app, line.global, verbose, quiet);
  CLI::App* renew_app = add_renew(app, renew, no_deploy);
  CLI::App* deploy_app = add_deploy(app, deploy);
  CLI::App* rollback_app = add_rollback(app, rollback);
  CLI::App* status_app =
      app.add_subcommand("status", "serving now, and will renew: a line per certificate");
  status_app->add_option("NAME", status.names, "certificates; none: all");
  CLI::App* rehearse_app = app.add_subcommand(
      "rehearse", "renew at the CA's staging directory; changes nothing in production");
  rehearse_app->add_option("NAME", rehearse.names, "certificates; none: all");
  CLI::App* check_app = add_check(app, check, json);
  CLI::App* diagnose_app = add_diagnose(app, diagnose);
  CLI::App* alert_app = add_alert(app, alert);
  CLI::App* report_app = add_report(app, report);
  CLI::App* scan_app = add_scan(app, scan, json);
  CLI::App* forget_app = app.add_subcommand(
      "forget", "stop watching a certificate whose configuration is gone, remove its files");
  forget_app->add_option("NAME", forget.name, "the certificate")->required();
  CLI::App* revoke_app = add_revoke(app, revoke);
  CLI::App* account_app = add_account(app, account);
  CLI::App* daemon_app =
      app.add_subcommand("daemon", "look after all certificates, in the foreground, without end");
  CLI::App* hooks_app = add_hooks(app, hooks);
  CLI::App* config_app = app.add_subcommand("config", "the configuration file");
  config_app->require_subcommand(1);
  config_app->add_subcommand("check", "validate the file alone");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return refuse_command_line(app, error, {argv, argv + argc});
  }
  line.global.verbosity = verbose ? 1 : quiet ? -1 : 0;
  renew.options.deploy = !no_deploy;
  if (renew_app->parsed()) {
    line.command = std::move(renew);
  } else if (deploy_app->parsed()) {
    line.command = std::move(deploy);
  } else if (rollback_app->parsed()) {
    line.command = std::move(rollback);
  } else if (status_app->parsed()) {
    line.command = std::move(status);
  } else if (rehearse_app->parsed()) {
    line.command = std::move(rehearse);
  } else if (check_app->parsed()) {
    line.command = std::move(check);
  } else if (diagnose_app->parsed()) {
    line.command = std::move(diagnose);
  } else if (alert_app->parsed()) {
    line.command = std::move(alert);
  } else if (scan_app->parsed()) {
    line.command = std::move(scan);
  } else if (report_app->parsed()) {
    line.command = std::move(report);
  } else if (forget_app->parsed()) {
    line.command = std::move(forget);
  } else if (revoke_app->parsed()) {
    line.command = std::move(revoke);
  } else if (account_app->parsed()) {
    line.command = std::move(account);
  } else if (daemon_app->parsed()) {
    line.command = DaemonCommand{};
  } else if (hooks_app->parsed()) {
    line.command = std::move(hooks);
  } else {
    line.command = CheckConfigCommand{};
  }
  return line;
}

}  // namespace nolapse
