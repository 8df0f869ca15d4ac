// dns-01 and dns-account-01: a TXT record in the zone of the name, put there by a DnsProvider, and
// looked for at every authoritative name server before the CA is asked. [RFC 8555 §8.4]
#pragma once

#include <memory>

#include "agent/core/solver.h"

namespace nolapse {

// `turns`: of all who may use the same program or service, and outlives the solver.
std::unique_ptr<Solver> make_dns01(const ChallengeConfig& challenge, World world, Turns& turns);

}  // namespace nolapse
