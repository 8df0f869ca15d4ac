#include "tests/simulation/simulation.h"

#include "tests/simulation/fault_injector.h"

namespace nolapse {

namespace {

using namespace std::chrono_literals;

constexpr Duration recovery_time = 72h;

class Simulation final : public FleetWatcher {
 public:
  Simulation(const Scenario& scenario, const SimulationOptions& options)
      : scenario_(scenario), options_(options), fleet_(scenario), faults_(fleet_, scenario) {
    invariants_.push_back(make_nothing_lapses(fleet_, report_.lapses));
    for (auto* make : {make_no_silent_stretch, make_no_limit_exceeded, make_live_is_whole,
                       make_pairs_match, make_challenges_cleaned_up, make_no_way_back,
                       make_requests_bounded, make_no_key_material, make_recovers})
      invariants_.push_back(make(fleet_));
    fleet_.trace.reader = options.trace;
    fleet_.watch(*this);
  }

  SimulationReport run() {
    const Duration length = 24h * static_cast<int>(scenario_.days);
    faults_.begin();
    for (const Duration quiet : quiet_times(length)) {
      fleet_.world.clock.outside_after(quiet + recovery_time, [this] {
        for (const auto& each : invariants_) each->on_recovered();
      });
    }
    look_later();
    fleet_.start_process();
    fleet_.world.clock.run_for(length);
    for (const auto& each : invariants_) each->on_end();
    return finish();
  }

  void on_event(const Event& event, const Kept* about) override {
    if (event.severity != Severity::info) ++report_.alert_events;
    if (event.code == "ISSUANCE_STARTED") ++report_.failed_attempts;
    if (event.code == "CERTIFICATE_ISSUED") ++report_.issued;
    for (const auto& each : invariants_) each->on_event(event, about);
  }

  void on_served(const Host& host, const Host::Site& site,
                 const std::optional<Leaf>& before) override {
    for (const auto& each : invariants_) each->on_served(host, site, before);
  }

  void on_issued(const Kept& kept) override {
    fleet_.trace.add(fleet_.now(), kept.spec->name + " has generation " +
                                       std::to_string(kept.generation) + ", " +
                                       kept.issued->fingerprint);
  }

  void on_death() override {
    for (const auto& each : invariants_) each->on_death();
  }

 private:
  void look_later() {
    fleet_.world.clock.outside_after(look_interval, [this] {
      for (const auto& each : invariants_) each->look();
      const auto day = static_cast<unsigned>((fleet_.now() - fleet_.beginning()) / 24h);
      if (options_.progress) options_.progress(day, scenario_.days);
      look_later();
    });
  }

  SimulationReport finish() {
    report_.certificate_years = scenario_.certificate_years();
    report_.failed_attempts -= report_.issued;
    report_.crashes = fleet_.deaths();
    report_.faults = faults_.planned();
    report_.trace_hash = fleet_.trace.hash();
    for (const auto& each : invariants_)
      if (each->violation()) report_.violations.push_back(*each->violation());
    return report_;
  }

  const Scenario& scenario_;
  const SimulationOptions& options_;
  SimulationReport report_;
  Fleet fleet_;
  FaultInjector faults_;
  std::vector<InvariantPtr> invariants_;
};

}  // namespace

SimulationReport simulate(const Scenario& scenario, const SimulationOptions& options) {
  return Simulation(scenario, options).run();
}

}  // namespace nolapse
