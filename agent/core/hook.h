// One run of a deploy hook: what it is given and what its ending means. The contract for the people
// who write hooks stands in deploy-hooks/README.md. Hooks that were written for another client are
// started as that client would start them: they know no verbs and run once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/store.h"

namespace nolapse {

struct HookRun {
  const DeployTarget& target;
  std::string verb;  // check, install, reload, rollback, rehearse; run_once for a foreign hook
  const CertificateSpec& spec;
  const Generation& generation;
  // Where the pair lies, under a path that stays the same from generation to generation: what
  // certbot's hooks are given.
  std::string lineage;
};

// The verb of hooks that know none.
inline constexpr const char* run_once = "run";

// The processes that make up the run, to be started one after the other: several only for a folder
// of certbot's. Errors: input HOOK_NOT_EXECUTABLE, HOOK_MISSING; local as Files.
Result<std::vector<ProcessSpec>> hook_processes(const HookRun& run, const Files& files);

// The only one there is for what nolapse starts.
inline constexpr const char* program_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Why a program's run was no success, from " failed with status 1: " to its last words; nothing
// when it exited with 0.
std::optional<std::string> failure_of(const ProcessResult& result, Duration deadline);

struct HookOutcome {
  bool supported = true;  // false: it answered 42
  bool changed = true;    // false: its last line of output says "unchanged"
};

// Errors: transient HOOK_TRY_LATER (exit 75), local HOOK_FAILED, HOOK_TIMED_OUT; the message ends
// with the hook's last words.
Result<HookOutcome> judge_hook(const HookRun& run, const ProcessResult& result);

// Both together: starts the processes, each whatever became of those before, and judges what they
// came to. A hook of a user that this process may not become is ordered from the hook service.
void run_hook(const World& world, HookRun run, Completion<HookOutcome> done);

// "nolapse", "certbot", "dehydrated", "acme.sh"
std::optional<HookKind> parse_hook_kind(const std::string& word);

}  // namespace nolapse
