// What nolapse-sim is called with. Whatever cannot be meant is refused in one line.
#pragma once

#include <string>
#include <vector>

#include "acme/result.h"
#include "tests/simulation/scenario.h"

namespace nolapse {

struct SimulationArguments {
  Scenario scenario;  // its seed is the first
  std::uint64_t last_seed = 1;
  bool shrink = false;
  bool trace = false;
  std::string help;  // the text of --help; empty: not asked for
};

acme::Result<SimulationArguments> parse_simulation_arguments(std::vector<std::string> arguments);

}  // namespace nolapse
