// tls-alpn-01: a validation certificate shown on a port of our own. Where a web server has port
// 443, it passes handshakes that offer "acme-tls/1" on to that port. [RFC 8737]
#pragma once

#include <memory>

#include "agent/core/solver.h"

namespace nolapse {

std::unique_ptr<Solver> make_tls_alpn01(const ChallengeConfig& challenge, World world);

}  // namespace nolapse
