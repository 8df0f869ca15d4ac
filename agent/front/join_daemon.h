// The command's side of the control socket: lets the daemon that holds the state directory do what
// was asked for, and shows it as if the command did it itself.
#pragma once

#include "agent/front/cli.h"
#include "agent/front/control_message.h"
#include "agent/world/event_loop.h"

namespace nolapse {

std::string control_path(const Config& config);

// The exit status; everything has been printed. Errors as of control_call(), nothing but progress
// has been printed then: NO_DAEMON where there is none to join. Where the daemon's configuration
// lacks a certificate that was meant, that is said, and the exit status is not 0.
Result<int> join_daemon(EventLoop& loop, const GlobalOptions& global, const Config& config,
                        const ControlRequest& request);

// Nobody is there to be joined, or not for us: what comes of doing it ourselves says more.
bool nobody_to_join(const Error& error);

}  // namespace nolapse
