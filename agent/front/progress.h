// Progress for a person at a terminal: lasting lines for what happened, one changing line for
// what is being waited for, with the time since the start in front.
#pragma once

#include "agent/core/event_stream.h"

namespace nolapse {

EventStream::Reader open_progress(const Clock& clock, int verbosity);

// Progress when stderr is a terminal, else the log.
EventStream::Reader open_stderr(const Clock& clock, int verbosity);

}  // namespace nolapse
