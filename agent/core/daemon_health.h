// Does the daemon itself work? That is another question than whether the certificates are well: it
// is asked by whoever watches the watcher.
#pragma once

#include <optional>
#include <string>

#include "agent/core/config.h"

namespace nolapse {

// Of the file that others look at; older is nobody's who is alive.
inline constexpr Duration oldest_heartbeat = std::chrono::minutes(20);  // four were missed

// Moments by uptime, so that a wall clock that is set makes nobody ill.
struct DaemonVitals {
  std::chrono::milliseconds now{};
  std::chrono::milliseconds begun_at{};                 // it wants the state directory since then
  std::optional<std::chrono::milliseconds> started_at;  // nothing: it has not got it yet
  std::optional<std::chrono::milliseconds> beat_at;     // the last heartbeat on the disk
  std::optional<std::chrono::milliseconds> checked_at;  // when the last self-test ended
};

// One line; empty: all of it works. Ill is who missed a heartbeat or a self-test: twice the
// interval, and what it takes.
std::string ailment_of(const DaemonVitals& vitals, const DaemonConfig& config);

}  // namespace nolapse
