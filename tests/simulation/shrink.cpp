#include "tests/simulation/shrink.h"

#include <algorithm>

namespace nolapse {

namespace {

class Shrinker {
 public:
  Shrinker(Scenario scenario, std::string invariant,
           const std::function<SimulationReport(const Scenario&)>& run)
      : best(std::move(scenario)), invariant_(std::move(invariant)), run_(run) {}

  // Keeps the smaller one where it fails too.
  bool attempt(const Scenario& smaller) {
    const SimulationReport report = run_(smaller);
    const bool fails = std::any_of(
        report.violations.begin(), report.violations.end(),
        [this](const Violation& violation) { return violation.invariant == invariant_; });
    if (fails) {
      best = smaller;
      faults = report.faults;
    }
    return fails;
  }

  // Halves a number as long as it fails with less.
  void halve(unsigned Scenario::*number, unsigned least) {
    while (best.*number > least) {
      Scenario smaller = best;
      smaller.*number = std::max(least, best.*number / 2);
      if (!attempt(smaller)) break;
    }
  }

  void leave_out_classes() {
    for (const FaultClass fault : all_fault_classes()) {
      Scenario smaller = best;
      if (smaller.faults.erase(fault) == 1) attempt(smaller);
    }
  }

  // From either end, in ever smaller steps.
  void leave_out_faults() {
    if (!attempt(best)) return;
    best.last_fault = best.first_fault + static_cast<unsigned>(faults);
    for (unsigned step = static_cast<unsigned>(faults) / 2; step > 0; step /= 2) {
      for (const bool front : {true, false}) {
        Scenario smaller = best;
        if (smaller.last_fault - smaller.first_fault <= step) continue;
        if (front) {
          smaller.first_fault += step;
        } else {
          smaller.last_fault -= step;
        }
        attempt(smaller);
      }
    }
  }

  Scenario best;
  std::size_t faults = 0;

 private:
  std::string invariant_;
  const std::function<SimulationReport(const Scenario&)>& run_;
};

}  // namespace

Scenario shrink(Scenario scenario, const std::string& invariant,
                const std::function<SimulationReport(const Scenario&)>& run) {
  Shrinker shrinker(std::move(scenario), invariant, run);
  shrinker.leave_out_classes();
  shrinker.halve(&Scenario::certificates, 1);
  shrinker.halve(&Scenario::days, 30);
  shrinker.leave_out_faults();
  return shrinker.best;
}

}  // namespace nolapse
