// One run of a scenario: the fleet, its faults and the invariants put together, and what came of
// it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/simulation/invariants/invariant.h"
#include "tests/simulation/scenario.h"

namespace nolapse {

struct SimulationReport {
  double certificate_years = 0;
  std::uint64_t issued = 0;
  std::uint64_t failed_attempts = 0;
  std::uint64_t alert_events = 0;  // warnings and errors
  std::uint64_t crashes = 0;
  std::size_t faults = 0;
  Lapses lapses;
  std::string trace_hash;
  std::vector<Violation> violations;  // the first of each invariant
};

struct SimulationOptions {
  std::function<void(const std::string&)> trace;            // shown every line
  std::function<void(unsigned day, unsigned of)> progress;  // now and then
};

SimulationReport simulate(const Scenario& scenario, const SimulationOptions& options = {});

}  // namespace nolapse
