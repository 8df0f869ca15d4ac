// One run of a deploy hook: what it is given and what its ending means. Pure; the contract for
// the people who write hooks stands in deploy-hooks/README.md.
#pragma once

#include <optional>
#include <string>

#include "agent/core/config.h"
#include "agent/core/store.h"

namespace nolapse {

struct HookRun {
  const DeployTarget& target;
  std::string verb;  // check, install, reload, rollback, rehearse
  const CertificateSpec& spec;
  const Generation& generation;
};

ProcessSpec hook_process(const HookRun& run);

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

}  // namespace nolapse
