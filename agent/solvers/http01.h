// http-01: the key authorization under /.well-known/acme-challenge/, on a listener of our own or
// in the document root of a web server that is there already. [RFC 8555 §8.3]
#pragma once

#include <memory>

#include "agent/core/solver.h"

namespace nolapse {

std::unique_ptr<Solver> make_http01_standalone(const ChallengeConfig& challenge, World world);
std::unique_ptr<Solver> make_http01_webroot(const ChallengeConfig& challenge, World world);

}  // namespace nolapse
