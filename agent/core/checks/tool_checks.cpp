// The programs that a renewal needs: hooks, and what DNS providers start. Looked at as files, and
// with --deep the hooks are asked themselves, by the user who will run them.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/config_files.h"
#include "agent/core/hook.h"
#include "agent/core/hook_order.h"

namespace nolapse {
namespace {

Finding finding(const char* code, FindingSeverity severity, std::string summary,
                std::string evidence, std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

struct Lack {
  std::string what;  // it needs
  std::string remedy;
};

// What the first line asks for and is not there, read as the kernel does it: at most 256 octets,
// blanks before the interpreter, which ends at the next blank. "/usr/bin/env python3" needs both.
std::optional<Lack> missing_interpreter(const Files& files, const std::string& content) {
  constexpr std::size_t longest_line = 256;
  if (!content.starts_with("#!")) return {};
  std::string line = content.substr(0, longest_line);
  line = line.substr(2, line.find('\n') - 2);
  if (line.ends_with('\r')) {
    return Lack{"an interpreter whose name ends with a carriage return",
                "save it with Unix line ends: sed -i 's/\\r$//' FILE"};
  }
  const auto missing = [](const std::string& program) {
    return Lack{program, "install " + program + ", or correct the first line"};
  };
  line.erase(0, line.find_first_not_of(" \t"));
  const std::string program = line.substr(0, line.find_first_of(" \t"));
  if (program.empty() || program.front() != '/') return missing("\"" + program + "\"");
  if (!status_through_links(files, program)) return missing(program);
  if (!program.ends_with("/env")) return {};
  std::string wanted = line.substr(std::min(line.find_first_of(" \t") + 1, line.size()));
  wanted = wanted.substr(0, wanted.find_first_of(" \t"));
  if (wanted.empty() || wanted.front() == '-') return {};
  const std::string path = program_path;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    if (status_through_links(files, path.substr(begin, end - begin) + "/" + wanted)) return {};
    begin = end + 1;
  }
  return missing(wanted);
}

struct Codes {
  const char* missing;
  const char* not_executable;
  const char* no_interpreter;
};

struct Program {
  std::string path;
  bool is_script = false;  // read by another program, not started
  bool is_ours = true;     // started by this user, the one who runs nolapse
};

// The run bits are the file's, whether this user has one of them the kernel says.
std::optional<Finding> fault_of_mode(const CheckContext& context, const FileStatus& status,
                                     const Program& program, const std::string& what,
                                     const char* code) {
  const bool nobody = (status.mode & 0111) == 0;
  if (nobody || status.kind == FileStatus::Kind::directory) {
    return finding(code, FindingSeverity::error,
                   what + (nobody ? " is not executable" : " is a folder"), program.path,
                   nobody ? "chmod +x " + program.path : "name the program in it");
  }
  if (status.executable || !program.is_ours) return {};
  if (context.daemon) {
    return finding(code, FindingSeverity::error,
                   what + " is not executable for the user who runs nolapse", program.path,
                   "chmod a+rx " + program.path + ", or set `user`");
  }
  return finding(code, FindingSeverity::unknown,
                 what + ": nobody knows whether it can be run, only that this user may not",
                 program.path, look_as_owner);
}

// What keeps a program from being started, as far as can be seen without starting it.
std::optional<Finding> fault_of_program(const CheckContext& context, const Program& program,
                                        const std::string& what, const Codes& codes) {
  const Files& files = context.world.files;
  const auto status = status_through_links(files, program.path);
  if (!status && is_denied(status.error())) {
    return not_known(codes.missing, what + " may not be looked at", status.error());
  }
  if (!status) {
    return finding(codes.missing, FindingSeverity::error, what + " is not there",
                   status.error().message, "install it again, or correct its path");
  }
  if (!program.is_script) {
    auto fault = fault_of_mode(context, *status, program, what, codes.not_executable);
    if (fault) return fault;
  }
  const auto content = files.read(program.path);
  // A program that may be run but not read, or a large one, is no script.
  const auto lack = content ? missing_interpreter(files, *content) : std::nullopt;
  if (!lack) return {};
  return finding(codes.no_interpreter, FindingSeverity::error,
                 what + " needs " + lack->what + ", which is not there",
                 program.path + ": its first line", lack->remedy);
}

// What a deployment would start, as it would find it; for another client's shim, its script too.
Result<std::vector<Program>> programs_of(const CheckContext& context, const CheckSubject& subject) {
  const DeployTarget& target = *subject.target;
  const bool is_ours = target.user.empty();
  if (target.kind == HookKind::nolapse) return std::vector<Program>{{target.hook, false, is_ours}};
  const Generation none;
  const auto processes =
      hook_processes({target, run_once, *subject.certificate, none, {}}, context.world.files);
  if (!processes) return fail(processes.error());
  std::vector<Program> programs;
  for (const ProcessSpec& process : *processes) {
    programs.push_back({process.argv.front(), false, is_ours});
  }
  if (target.kind == HookKind::acme_sh) programs.push_back({target.hook, true, is_ours});
  return programs;
}

std::vector<Finding> check_hook_file(const CheckContext& context, const CheckSubject& subject) {
  static constexpr Codes codes{"HOOK_MISSING", "HOOK_NOT_EXECUTABLE", "HOOK_INTERPRETER_MISSING"};
  const std::string what =
      subject.certificate->name + ": the hook of target " + subject.target->name;
  const auto programs = programs_of(context, subject);
  if (!programs) {
    const Error& error = programs.error();
    if (is_denied(error)) {
      // Whoever will start it may look: the hook service, which is asked deeply.
      if (!context.world.processes.may_become(subject.target->user)) return {};
      return {not_known(codes.missing, what + " may not be looked at", error)};
    }
    const bool no_run_bit = error.code == codes.not_executable;
    return {finding(
        no_run_bit ? codes.not_executable : codes.missing, FindingSeverity::error,
        what + " cannot be run", error.message,
        no_run_bit ? "chmod +x it, or move it away" : "install it again, or correct its path")};
  }
  std::vector<Finding> findings;
  for (const Program& program : *programs) {
    auto fault = fault_of_program(context, program, what, codes);
    if (fault) findings.push_back(std::move(*fault));
  }
  return findings;
}

std::vector<Finding> check_provider_programs(const CheckContext& context,
                                             const CheckSubject& subject) {
  static constexpr Codes codes{"TOOL_MISSING", "TOOL_MISSING", "TOOL_MISSING"};
  std::vector<Finding> findings;
  for (const auto& [key, value] : subject.challenge->settings) {
    const bool program = key == "program" || key == "shim" || key.ends_with("_hook");
    if (!program && key != "script") continue;
    auto fault = fault_of_program(context, {value, !program, true},
                                  "the " + key + " of challenge " + subject.challenge->name, codes);
    if (fault) findings.push_back(std::move(*fault));
  }
  return findings;
}

Finding hook_not_asked(const CheckSubject& subject, const Error& error) {
  return not_known("HOOK_CHECK_FAILED",
                   subject.certificate->name + ": nobody knows what the hook of target " +
                       subject.target->name + " says",
                   error);
}

std::optional<Finding> judge_check(const CheckSubject& subject,
                                   const Result<HookOutcome>& outcome) {
  if (outcome) return {};
  if (is_denied(outcome.error())) return hook_not_asked(subject, outcome.error());
  const std::string& name = subject.certificate->name;
  const bool later = outcome.error().code == "HOOK_TRY_LATER";
  const bool foreign = subject.target->kind != HookKind::nolapse;
  return finding("HOOK_CHECK_FAILED", later ? FindingSeverity::warning : FindingSeverity::error,
                 name + ": the hook of target " + subject.target->name +
                     (foreign ? " would not be run" : " says that a deployment would not work"),
                 outcome.error().message,
                 "correct what it says, then: nolapse check --deep " + name);
}

// As it is now, at one of its CAs.
bool was_rehearsed(const CheckContext& context, const CertificateSpec& spec) {
  const auto records = context.store.load_rehearsals(spec.name);
  if (!records) return false;
  const ProvenParts now = parts_of(spec, context.config, context.world.files);
  return std::any_of(records->begin(), records->end(), [&](const auto& entry) {
    return !entry.second.proven.empty() && changed_parts(entry.second.proven, now).empty();
  });
}

std::vector<Finding> check_changes(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  const auto schedule = context.store.load_schedule(spec.name);
  if (!schedule) {
    return {not_known("CHANGED_SINCE_SUCCESS",
                      spec.name + ": nobody knows whether it is as it was when it was renewed",
                      schedule.error())};
  }
  if (!schedule->proven_at) return {};
  const std::string changed =
      changed_parts(schedule->proven, parts_of(spec, context.config, context.world.files));
  if (changed.empty() || was_rehearsed(context, spec)) return {};
  return {
      finding("CHANGED_SINCE_SUCCESS", FindingSeverity::warning,
              spec.name + ": what its renewal rests on has changed, and nobody has tried it",
              "since the success of " + acme::format_rfc3339(*schedule->proven_at) + ": " + changed,
              "nolapse check --deep " + spec.name + "; nolapse rehearse " + spec.name)};
}

// Whoever may not read the pair is not the one who deploys it: what the hook says to him says
// nothing about a renewal. Where the hook service runs it, that one reads the pair itself.
std::optional<Error> hindrance_to_ask(const CheckContext& context, const DeployTarget& target,
                                      const Generation& generation) {
  if (generation.chain.empty() || !generation.has_key ||
      !context.world.processes.may_become(target.user))
    return {};
  const auto key = context.world.files.read(generation.directory + "/privkey.pem");
  if (key || !is_denied(key.error())) return {};
  return key.error();
}

// Fine as far as was seen, which is not what the hook says.
Finding not_asked(const CheckSubject& subject, std::string why) {
  return finding(
      "HOOK_CHECK_FAILED", FindingSeverity::ok,
      subject.certificate->name + ": the hook of target " + subject.target->name + " was not asked",
      std::move(why), {});
}

// Hooks of other clients are never run for a check, and know no such verb. Where the hook service
// is to run one, it is asked all the same: that it refuses the verb, and nothing else, shows that
// it is there, may be asked, and has the target. Before the first certificate there is no pair, and
// an order is not to be spent on what the hook can tell.
void ask_hook(const std::shared_ptr<const CheckContext>& context, const CheckSubject& subject,
              const CheckReport& report) {
  static const Generation none;
  const DeployTarget& target = *subject.target;
  const bool foreign = target.kind != HookKind::nolapse;
  if (foreign && context->world.processes.may_become(target.user)) {
    return report({not_asked(subject, "one of another client's runs for a deployment only")});
  }
  // What is missing is said already.
  if (!check_hook_file(*context, subject).empty()) {
    return report({not_asked(subject, "it cannot be run, as another finding says")});
  }
  const auto newest = newest_of(*context, *subject.certificate);
  const Generation& pair = newest && *newest != nullptr ? **newest : none;
  const auto hindrance = newest ? hindrance_to_ask(*context, target, pair) : newest.error();
  if (hindrance) return report({hook_not_asked(subject, *hindrance)});
  run_hook(context->world,
           {target, "check", *subject.certificate, pair,
            context->store.live_path(subject.certificate->name)},
           [context, subject, report, foreign](Result<HookOutcome> outcome) {
             if (foreign && !outcome && refuses_verb(outcome.error())) return report({});
             auto fault = judge_check(subject, outcome);
             report(fault ? std::vector<Finding>{std::move(*fault)} : std::vector<Finding>{});
           });
}

std::vector<CodePage> pages() {
  return {
      {"HOOK_MISSING", "the deploy hook of a target is not there",
       "It was removed, renamed, or a package was upgraded.", "ls -l HOOK",
       "Put it back, or correct `hook`."},
      {"HOOK_NOT_EXECUTABLE", "the deploy hook of a target is not executable",
       "It was copied without its mode, or a deployment reset it; or the user who runs nolapse has "
       "no right to run it.",
       "ls -l HOOK", "chmod +x HOOK"},
      {"HOOK_INTERPRETER_MISSING", "what the hook's first line names is not there",
       "The interpreter was removed or renamed by an upgrade, or the line ends with a carriage "
       "return, as files from Windows do.",
       "head -1 HOOK | od -c", "Install it, or correct the first line."},
      {"HOOK_CHECK_FAILED", "the hook itself says that a deployment would not work",
       "The service's configuration is broken, it does not run, a folder or a port is missing; or "
       "the hook service, which should run it as its user, does not answer.",
       "NOLAPSE_NAME=NAME … HOOK check, as its user; the service's own configuration test",
       "Correct what it says."},
      {"CHANGED_SINCE_SUCCESS",
       "configuration, hook or program changed since the last renewal that went well",
       "An upgrade or an edit. Perhaps it still works; nobody has seen that yet.",
       "the evidence names the files; ls -l, and the history of your configuration management",
       "Try it before it matters: nolapse rehearse NAME."},
      {"TOOL_MISSING", "a program that a DNS provider needs is not there or cannot be run",
       "It was removed, renamed or upgraded.", "ls -l PROGRAM", "Install it or correct its path."},
  };
}

}  // namespace

CheckFamily tool_checks() {
  return {pages(),
          {plain_check({"HOOK_MISSING", "HOOK_NOT_EXECUTABLE", "HOOK_INTERPRETER_MISSING"},
                       CheckDepth::cheap, CheckScope::target, check_hook_file),
           plain_check({"TOOL_MISSING"}, CheckDepth::cheap, CheckScope::challenge,
                       check_provider_programs),
           plain_check({"CHANGED_SINCE_SUCCESS"}, CheckDepth::cheap, CheckScope::certificate,
                       check_changes),
           {{"HOOK_CHECK_FAILED"}, CheckDepth::deep, CheckScope::target, ask_hook}}};
}

}  // namespace nolapse
