// From a scenario that fails to a smaller one that fails in the same way: fewer fault classes,
// fewer certificates, fewer days, fewer faults. Each step is a whole run.
#pragma once

#include <functional>
#include <string>

#include "tests/simulation/simulation.h"

namespace nolapse {

// `invariant` is the name of the one that must go on being violated; `run` is simulate(), or hears
// of it and does it.
Scenario shrink(Scenario scenario, const std::string& invariant,
                const std::function<SimulationReport(const Scenario&)>& run);

}  // namespace nolapse
