// From a scenario that fails to a smaller one that fails in the same way: fewer fault classes,
// fewer certificates, fewer days, fewer faults. Each step is a whole run.
#pragma once

#include <functional>
#include <string>

#include "tests/simulation/scenario.h"

namespace nolapse {

// `invariant` is the name of the one that must go on being violated; `trying` hears of every run.
Scenario shrink(Scenario scenario, const std::string& invariant,
                const std::function<void(const Scenario&)>& trying);

}  // namespace nolapse
