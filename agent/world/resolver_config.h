// What this machine says about looking up names: resolv.conf(5) and hosts(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/time.h"
#include "agent/world/sockets.h"

namespace nolapse {

struct ResolverConfig {
  std::vector<SocketAddress> servers;                // in order of preference, at least one
  std::vector<std::string> search;                   // domains tried for names without a dot
  acme::Duration timeout = std::chrono::seconds(2);  // before the next server is asked as well
  int attempts = 2;                                  // rounds over all servers

  std::string server_names() const;  // "192.0.2.1:53, 192.0.2.2:53"
};

// Unknown lines are skipped, numbers are brought into a sane range, and without a usable
// nameserver line the local machine is asked, as resolv.conf(5) says.
ResolverConfig parse_resolv_conf(std::string_view text);

// The canonical addresses that hosts(5) gives the name, in its order; compared without case.
std::vector<std::string> addresses_in_hosts(std::string_view text, std::string_view name);

}  // namespace nolapse
