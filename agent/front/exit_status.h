// Exit statuses that other people's scripts rely on.
#pragma once

namespace nolapse::exit_status {

inline constexpr int ok = 0;
inline constexpr int failed = 1;     // something failed, a deployment that will be retried too
inline constexpr int usage = 2;      // command line or configuration
inline constexpr int undecided = 3;  // held by a lock, waiting for a CA, unknown

}  // namespace nolapse::exit_status
