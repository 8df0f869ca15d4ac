// dns-persist-01: the record is permanent and the operator's; it is looked at, and never touched.
#pragma once

#include <memory>

#include "agent/core/solver.h"

namespace nolapse {

std::unique_ptr<Solver> make_dns_persist01(const ChallengeConfig& challenge, World world);

}  // namespace nolapse
