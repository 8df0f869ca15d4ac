// Listening sockets: opened here, or passed by the service manager (sd_listen_fds(3)).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/world/unique_fd.h"
#include "agent/world/world.h"

namespace nolapse {

// What the service manager passed to this process, as LISTEN_PID and LISTEN_FDS say; null where
// the variable is missing. They are closed on exec from here on.
std::vector<UniqueFd> passed_sockets(const char* listen_pid, const char* listen_fds,
                                     int first_fd = 3);

// A process may make one world after the other, and only the first could take them from their
// fixed numbers: whoever makes the worlds holds them.
using PassedSockets = std::shared_ptr<const std::vector<UniqueFd>>;  // null: none
PassedSockets sockets_passed_to_this_process();

// A non-blocking listening socket for "ADDRESS:PORT": a duplicate of the passed one that is bound
// to this port, else one of our own. "[::]" serves both families, and falls back to IPv4 on a
// machine without IPv6. Errors: local PORT_IN_USE (with the holder and `remedy`),
// PERMISSION_DENIED, LISTEN_FAILED.
Result<UniqueFd> listening_socket(
    const std::string& listen, const PassedSockets& passed,
    const char* remedy =
        "stop it, or let it serve a `webroot` (http-01) or pass the handshakes on (tls-alpn-01)");

}  // namespace nolapse
