// From a ProcessSpec to a running process: fork, the little that happens before exec, exec.
#pragma once

#include <optional>
#include <string>

#include "acme/result.h"
#include "agent/world/system_user.h"
#include "agent/world/unique_fd.h"
#include "agent/world/world.h"

namespace nolapse {

struct SpawnedProcess {
  int pid = -1;     // of the child, and of its process group
  UniqueFd pidfd;   // readable once the child has ended
  UniqueFd output;  // read ends, non-blocking
  UniqueFd errors;
  // Ends without a word when the program runs; gives an ExecFailure when it could not be started.
  UniqueFd outcome;
};

// Who to become before exec; nothing: the same user.
using SpawnUser = std::optional<SystemUser>;

// The error text says what could not be had: a pipe, a process.
acme::Result<SpawnedProcess> spawn(const ProcessSpec& spec, const SpawnUser& user);

// Why `program` was not started, from `outcome`; nothing when it was. "cannot execute: No such file
// or directory".
std::optional<std::string> exec_failure(int outcome, const std::string& program);

}  // namespace nolapse
