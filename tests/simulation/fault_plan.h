// The faults of a scenario, drawn from its seed before anything runs. Each class draws from a
// branch of its own, so that leaving one out does not move the others.
//
// Twice a year, and at the end, there is a quiet time without any fault: what must then be well
// again, and how soon, is for the invariants to say.
#pragma once

#include <vector>

#include "tests/simulation/scenario.h"

namespace nolapse {

struct Fault {
  FaultClass fault = FaultClass::ca_outage;
  std::string kind;        // "refused", "full", …
  acme::Duration from{0};  // since the beginning
  acme::Duration until{0};
  std::size_t target = 0;    // which CA, host or certificate
  std::uint64_t amount = 0;  // a number of the kind's own
};

struct FleetSize {
  std::size_t cas = 1;
  std::size_t hosts = 1;
  std::size_t certificates = 1;
};

inline constexpr acme::Duration quiet_every = std::chrono::hours(180 * 24);
inline constexpr acme::Duration quiet_time = std::chrono::hours(8 * 24);

// When the quiet times begin, the last one eight days before the end.
std::vector<acme::Duration> quiet_times(acme::Duration length);

std::vector<Fault> plan_faults(const Scenario& scenario, const FleetSize& size);

}  // namespace nolapse
