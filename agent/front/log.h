// The log on stderr: plain lines, one per event. Only log.cpp knows spdlog.
#pragma once

#include "agent/core/event_stream.h"

namespace nolapse {

// Verbosity as in GlobalOptions.
EventStream::Reader open_log(int verbosity);

}  // namespace nolapse
