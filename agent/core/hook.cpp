#include "agent/core/hook.h"

#include "acme/json_read.h"

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
  if (words.empty()) words = acme::printable(last_line(result.output), kept_words);
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

ProcessSpec hook_process(const HookRun& run) {
  ProcessSpec process;
  process.argv = {run.target.hook, run.verb};
  process.environment = run.target.environment;
  process.environment["PATH"] = program_path;
  process.environment["NOLAPSE_NAME"] = run.spec.name;
  process.environment["NOLAPSE_DOMAINS"] = join(run.spec.domains, " ");
  process.environment["NOLAPSE_TARGET"] = run.target.name;
  process.environment["NOLAPSE_HOST"] = "";
  process.environment["NOLAPSE_GENERATION"] = std::to_string(run.generation.number);
  process.environment["NOLAPSE_DIR"] = run.generation.directory;
  process.environment["NOLAPSE_PRIVKEY"] = run.generation.directory + "/privkey.pem";
  process.environment["NOLAPSE_CERT"] = run.generation.directory + "/cert.pem";
  process.environment["NOLAPSE_CHAIN"] = run.generation.directory + "/chain.pem";
  process.environment["NOLAPSE_FULLCHAIN"] = run.generation.directory + "/fullchain.pem";
  process.environment["NOLAPSE_FINGERPRINT_SHA256"] = run.generation.leaf().fingerprint_sha256;
  process.environment["NOLAPSE_NOT_AFTER"] = acme::format_rfc3339(run.generation.leaf().not_after);
  process.user = run.target.user;
  process.deadline = run.target.timeout;
  return process;
}

Result<HookOutcome> judge_hook(const HookRun& run, const ProcessResult& result) {
  const std::string what = "target " + run.target.name + ": " + run.target.hook + " " + run.verb;
  const auto failure = failure_of(result, run.target.timeout);
  if (!failure) return HookOutcome{true, last_line(result.output) != "unchanged"};
  if (result.ending == ProcessResult::Ending::timed_out) {
    return fail(ErrorKind::local, "HOOK_TIMED_OUT", what + *failure);
  }
  const bool exited = result.ending == ProcessResult::Ending::exited;
  if (exited && result.code == exit_unsupported) return HookOutcome{false, false};
  if (exited && result.code == exit_try_later) {
    return fail(ErrorKind::transient, "HOOK_TRY_LATER",
                what + " asks to be tried later" + last_words(result));
  }
  return fail(ErrorKind::local, "HOOK_FAILED", what + *failure);
}

}  // namespace nolapse
