// From a configured challenge to the object that solves it.
#pragma once

#include <memory>

#include "agent/core/solver.h"

namespace nolapse {

std::unique_ptr<Solver> make_solver(const ChallengeConfig& challenge, World world, Turns& turns);

}  // namespace nolapse
