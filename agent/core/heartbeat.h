// What the daemon's heartbeat says to others: does anybody renew by himself here?
#pragma once

#include <string>

#include "agent/world/world.h"

namespace nolapse {

struct Heartbeat {
  enum class State {
    beating,
    never,    // no daemon has ever run here: somebody else has to call `nolapse renew`
    silent,   // one did, and does not any more; or nobody can make sense of what it wrote
    unknown,  // it cannot be looked at
  };
  State state = State::beating;
  std::string summary = {};   // of what is not beating
  std::string evidence = {};  // likewise
};

// `text` is what was read from the file at `path`.
Heartbeat judge_heartbeat(const Result<std::string>& text, const std::string& path, Time now);

}  // namespace nolapse
