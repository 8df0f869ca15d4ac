// Does anybody renew by himself here? Evidence is the daemon's heartbeat or, where no daemon has
// ever run, a `nolapse renew` of all certificates that ended not long ago, as a timer's does. One
// rule for whoever asks: `status` and `check`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/store.h"

namespace nolapse {

// A timer twice a day may have failed three times; older is no evidence any more.
inline constexpr Duration longest_between_runs = std::chrono::hours(48);

struct Heartbeat {
  enum class State {
    beating,
    renewed,  // no daemon has ever run here, and somebody calls `nolapse renew`
    never,    // neither
    silent,   // a daemon did, and does not any more; or nobody can make sense of what it wrote
    unknown,  // it cannot be looked at
  };
  State state = State::beating;
  std::string summary = {};   // of what is no evidence
  std::string evidence = {};  // likewise
  std::string fix = {};       // likewise

  bool is_evidence() const { return state == State::beating || state == State::renewed; }
};

// From the two files of the state directory. Where a daemon has ever written its heartbeat, that
// alone counts: whoever renews by hand once does not stand in for one that died.
Heartbeat read_heartbeat(const Files& files, const std::string& state_directory, Time now);

// renewed.json: when a command that was to renew all certificates ended.
std::string write_renewed_document(Time at);
// Error: local BAD_STATE; the caller adds the path.
Result<Time> read_renewed_document(std::string_view text);
FileWork note_renewed(const std::string& state_directory, Time at);

}  // namespace nolapse
