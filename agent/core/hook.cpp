#include "agent/core/hook.h"

#include <map>

#include "acme/json_read.h"
#include "agent/core/config_files.h"
#include "agent/core/hook_programs.h"

namespace nolapse {
namespace {

constexpr int exit_unsupported = 42;
constexpr int exit_try_later = 75;
constexpr std::size_t kept_words = 600;

std::string trimmed_tail(const std::string& text, std::size_t limit) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const std::size_t begin = end + 1 > limit ? end + 1 - limit : 0;
  return text.substr(begin, end + 1 - begin);
}

std::string last_line(const std::string& text) {
  const std::string tail = trimmed_tail(text, text.size());
  return tail.substr(tail.rfind('\n') + 1);
}

std::string last_words(const ProcessResult& result) {
  std::string words = acme::printable(trimmed_tail(result.errors, kept_words), kept_words);
  const std::string line = last_line(result.output);
  // The contract's own words say nothing of a failure.
  const bool is_answer = line == "changed" || line == "unchanged";
  if (words.empty() && !is_answer) words = acme::printable(line, kept_words);
  return words.empty() ? "; it said nothing" : ": " + words;
}

}  // namespace

std::optional<std::string> failure_of(const ProcessResult& result, Duration deadline) {
  std::string ending;
  if (result.ending == ProcessResult::Ending::timed_out) {
    ending = " did not end within " + acme::format_duration(deadline) + " and was killed";
  } else if (result.ending == ProcessResult::Ending::signalled) {
    ending = " was ended by signal " + std::to_string(result.code);
  } else if (result.code != 0) {
    ending = " failed with status " + std::to_string(result.code);
  } else {
    return std::nullopt;
  }
  return ending + last_words(result);
}

namespace {

// Empty: the operator has it, and nobody else.
std::string key_of(const Generation& generation) {
  return generation.has_key ? generation.directory + "/privkey.pem" : "";
}

using Environment = std::map<std::string, std::string>;

// All of it is empty before there is a pair, when nothing but `check` is asked.
Environment pair_environment(const Generation& generation) {
  Environment environment;
  for (const char* name :
       {"NOLAPSE_GENERATION", "NOLAPSE_DIR", "NOLAPSE_PRIVKEY", "NOLAPSE_CERT", "NOLAPSE_CHAIN",
        "NOLAPSE_FULLCHAIN", "NOLAPSE_FINGERPRINT_SHA256", "NOLAPSE_NOT_AFTER"}) {
    environment[name] = "";
  }
  if (generation.chain.empty()) return environment;
  const acme::Certificate& leaf = generation.leaf();
  const std::string& directory = generation.directory;
  environment["NOLAPSE_GENERATION"] = std::to_string(generation.number);
  environment["NOLAPSE_DIR"] = directory;
  environment["NOLAPSE_PRIVKEY"] = key_of(generation);
  environment["NOLAPSE_CERT"] = directory + "/cert.pem";
  environment["NOLAPSE_CHAIN"] = directory + "/chain.pem";
  environment["NOLAPSE_FULLCHAIN"] = directory + "/fullchain.pem";
  environment["NOLAPSE_FINGERPRINT_SHA256"] = leaf.fingerprint_sha256;
  environment["NOLAPSE_NOT_AFTER"] = acme::format_rfc3339(leaf.not_after);
  return environment;
}

// Nolapse's own kind. [deploy-hooks/README.md]
ProcessSpec own_process(const HookRun& run) {
  ProcessSpec process;
  process.argv = {run.target.hook, run.verb};
  process.environment = pair_environment(run.generation);
  process.environment["NOLAPSE_NAME"] = run.spec.name;
  process.environment["NOLAPSE_DOMAINS"] = join(run.spec.domains, " ");
  process.environment["NOLAPSE_TARGET"] = run.target.section;
  process.environment["NOLAPSE_HOST"] = run.target.host;
  return process;
}

// As `certbot renew` starts what lies in renewal-hooks/deploy: no arguments, two variables.
ProcessSpec certbot_process(const HookRun& run, const std::string& program) {
  ProcessSpec process;
  process.argv = {program};
  process.environment = {{"RENEWED_LINEAGE", run.lineage},
                         {"RENEWED_DOMAINS", join(run.spec.domains, " ")}};
  return process;
}

// hook.sh deploy_cert DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE TIMESTAMP
ProcessSpec dehydrated_process(const HookRun& run) {
  const std::string& directory = run.generation.directory;
  const auto issued_at =
      std::chrono::duration_cast<std::chrono::seconds>(run.generation.issued_at.time_since_epoch());
  ProcessSpec process;
  process.argv = {run.target.hook,
                  "deploy_cert",
                  run.spec.domains.front().value,
                  key_of(run.generation),
                  directory + "/cert.pem",
                  directory + "/fullchain.pem",
                  directory + "/chain.pem",
                  std::to_string(issued_at.count())};
  return process;
}

// NAME_deploy DOMAIN KEYFILE CERTFILE CAFILE FULLCHAINFILE, a function; the shim calls it.
ProcessSpec acme_sh_process(const HookRun& run) {
  const std::string& directory = run.generation.directory;
  ProcessSpec process;
  process.argv = {run.target.shim.empty() ? NOLAPSE_ACME_SH_SHIM : run.target.shim,
                  run.target.hook,
                  "deploy",
                  run.spec.domains.front().value,
                  key_of(run.generation),
                  directory + "/cert.pem",
                  directory + "/chain.pem",
                  directory + "/fullchain.pem"};
  return process;
}

// All that certbot would run of a folder: in the order of names, without an editor's copies.
Result<std::vector<std::string>> programs_in(const std::string& folder, const Files& files) {
  const auto names = files.list(folder);
  if (!names) return fail(names.error());
  std::vector<std::string> programs;
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    const auto status = status_through_links(files, path);
    if (!status) return fail(status.error());
    if (status->kind != FileStatus::Kind::file || name.back() == '~') continue;
    if ((status->mode & 0111) == 0) {
      return fail(ErrorKind::input, "HOOK_NOT_EXECUTABLE",
                  path + " is not executable; run: chmod +x " + path + ", or move it away");
    }
    programs.push_back(path);
  }
  if (programs.empty()) return fail(ErrorKind::input, "HOOK_MISSING", folder + " holds no hook");
  return programs;
}

Result<std::vector<ProcessSpec>> bare_processes(const HookRun& run, const Files& files) {
  switch (run.target.kind) {
    case HookKind::nolapse:
      return std::vector{own_process(run)};
    case HookKind::dehydrated:
      return std::vector{dehydrated_process(run)};
    case HookKind::acme_sh:
      return std::vector{acme_sh_process(run)};
    case HookKind::certbot:
      break;
  }
  const auto status = status_through_links(files, run.target.hook);
  if (!status || status->kind != FileStatus::Kind::directory) {
    return std::vector{certbot_process(run, run.target.hook)};
  }
  const auto programs = programs_in(run.target.hook, files);
  if (!programs) return fail(programs.error());
  std::vector<ProcessSpec> processes;
  for (const std::string& program : *programs) processes.push_back(certbot_process(run, program));
  return processes;
}

}  // namespace

Result<std::vector<ProcessSpec>> hook_processes(const HookRun& run, const Files& files) {
  auto processes = bare_processes(run, files);
  if (!processes) return processes;
  for (ProcessSpec& process : *processes) {
    for (const auto& [name, value] : run.target.environment) {
      process.environment.try_emplace(name, value);
    }
    process.environment["PATH"] = program_path;
    process.user = run.target.user;
    process.deadline = run.target.timeout;
  }
  return processes;
}

namespace {

// Of several processes too it is one order: which ones they are, the hook service finds out.
ProcessSpec ordered_process(const HookRun& run) {
  ProcessSpec process;
  process.argv = {run.target.hook, run.verb};
  process.user = run.target.user;
  process.deadline = run.target.timeout;
  process.order =
      HookOrder{run.target.name, run.verb, run.spec.name, run.generation.number,
                run.generation.directory.find("/rehearsals/certificates/") != std::string::npos};
  return process;
}

Result<std::vector<ProcessSpec>> processes_or_order(const HookRun& run, const World& world) {
  if (world.processes.may_become(run.target.user)) return hook_processes(run, world.files);
  return std::vector{ordered_process(run)};
}

}  // namespace

Result<HookOutcome> judge_hook(const HookRun& run, const ProcessResult& result) {
  const std::string what = "target " + run.target.name + ": " + run.target.hook + " " + run.verb;
  const auto failure = failure_of(result, run.target.timeout);
  if (!failure) return HookOutcome{true, last_line(result.output) != "unchanged"};
  if (result.ending == ProcessResult::Ending::timed_out) {
    return fail(ErrorKind::local, "HOOK_TIMED_OUT", what + *failure);
  }
  // Of another client's hooks nobody knows what these numbers mean.
  const bool exited =
      result.ending == ProcessResult::Ending::exited && run.target.kind == HookKind::nolapse;
  if (exited && result.code == exit_unsupported) return HookOutcome{false, false};
  if (exited && result.code == exit_try_later) {
    return fail(ErrorKind::transient, "HOOK_TRY_LATER",
                what + " asks to be tried later" + last_words(result));
  }
  return fail(ErrorKind::local, "HOOK_FAILED", what + *failure);
}

void run_hook(const World& world, HookRun run, Completion<HookOutcome> done) {
  auto processes = processes_or_order(run, world);
  if (!processes) {
    Error error = processes.error();
    error.message = "target " + run.target.name + ": " + error.message;
    world.clock.start_timer(
        Duration{0}, [done = std::move(done), error = std::move(error)] { done(fail(error)); });
    return;
  }
  run_programs(world.processes, std::move(*processes), nullptr,
               [run, done = std::move(done)](const Result<ProcessResult>& result) {
                 if (result) return done(judge_hook(run, *result));
                 Error error = result.error();
                 error.message = "target " + run.target.name + ": " + error.message;
                 done(fail(std::move(error)));
               });
}

std::optional<HookKind> parse_hook_kind(const std::string& word) {
  if (word == "nolapse") return HookKind::nolapse;
  if (word == "certbot") return HookKind::certbot;
  if (word == "dehydrated") return HookKind::dehydrated;
  if (word == "acme.sh") return HookKind::acme_sh;
  return {};
}

}  // namespace nolapse
