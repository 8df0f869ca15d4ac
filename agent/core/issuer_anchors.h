// Who stands behind what a CA issued, as far as this host knows: the anchors that the configuration
// names for it, and otherwise the system's and those of its API. Most private CAs have one root
// for both; some have none that anybody named here, and these still have to be renewed.
#pragma once

#include <vector>

#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/world/world.h"

namespace nolapse {

// Leaf first, judged at `when`, as acme::check_issuer. Errors: its BAD_CERTIFICATE; where files of
// anchors cannot be read, they hold none.
Result<void> check_known_issuer(const Files& files, const CaConfig& ca,
                                const std::vector<acme::Certificate>& chain, Time when);

}  // namespace nolapse
