// Makes the planned faults happen in a fleet's world, ends them, and keeps the world's health in
// step: a fault that a renewal has to live through does not count as sickness.
#pragma once

#include <vector>

#include "tests/simulation/fault_plan.h"
#include "tests/simulation/fleet.h"

namespace nolapse {

class FaultInjector {
 public:
  // Both must outlive the simulation.
  FaultInjector(Fleet& fleet, const Scenario& scenario);

  void begin();
  std::size_t planned() const { return faults_.size(); }
  const std::vector<Fault>& faults() const { return faults_; }

 private:
  void set(const Fault& fault, bool on);
  void set_outage(const Fault& fault, bool on);
  void set_errors(const Fault& fault, bool on);
  void set_advice(const Fault& fault, bool on);
  void set_names(const Fault& fault, bool on);
  void set_disk(const Fault& fault, bool on);
  void set_host(const Fault& fault, bool on);
  void set_clock(const Fault& fault, bool on);
  void crash(const Fault& fault);
  void revoke(const Fault& fault);
  void sicken(const std::string& part, bool on);
  FakeCa& ca(const Fault& fault) { return *fleet_.world.cas[fault.target]; }
  std::string ca_part(const Fault& fault) const {
    return fleet_.ca_part(fleet_.config.cas[fault.target].name);
  }
  bool quiet_now() const;
  std::optional<acme::HttpResponse> instead(std::size_t ca, CaEndpoint endpoint);
  void alter(std::size_t ca, CaEndpoint endpoint, acme::HttpResponse& response);

  // What each CA is up to just now.
  struct Mood {
    bool errors = false;
    bool too_many = false;
    bool garbage = false;
    bool bad_advice = false;
  };

  Fleet& fleet_;
  std::vector<Fault> faults_;
  std::vector<Duration> quiet_;
  std::vector<Mood> moods_;
  std::vector<FakeCaSettings> usual_;  // of each CA
  SeededRandom random_;
};

}  // namespace nolapse
