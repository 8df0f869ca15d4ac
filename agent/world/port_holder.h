// Who has a port.
#pragma once

#include <cstdint>
#include <string>

namespace nolapse {

// "nginx (pid 123)" for a process that listens on this TCP port; empty when /proc does not tell,
// as for other users' processes unless we are root. Gives up after 50 ms of work: it runs on the
// loop, where a listener has failed to open, and a machine may have very many processes.
std::string port_holder(std::uint16_t port);

}  // namespace nolapse
