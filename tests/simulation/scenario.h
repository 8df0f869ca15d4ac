// What a simulation is made from, and all of it: the same scenario gives the same trace, byte for
// byte. Its text is the command line that replays it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acme/time.h"

namespace nolapse {

// The ways in which the world lets the agent down, each a class that can be left out.
enum class FaultClass {
  ca_outage,  // a CA that cannot be reached, for minutes or up to twelve days
  ca_errors,  // 5xx, 429, badNonce storms, lost replies, garbage, a CA that is slow to issue
  ari,        // windows that are early, reversed, garbage or gone; `replaces` refused
  dns,        // SERVFAIL, time-outs, split DNS, names that vanish for days, months or good
  disk,       // full, read-only, single operations that fail
  crash,      // kill -9, power failures, orderly restarts
  hook,       // hooks that hang, fail for days, or half succeed
  service,    // services that ignore a reload, cannot be reached, or get an old pair back
  clock,      // wall clocks that are minutes or days off for a while
  rate,       // CAs whose limits are tighter than anybody was told
  revoke,     // certificates that the CA revokes
};
std::vector<FaultClass> all_fault_classes();
const char* name_of(FaultClass fault);
// "all", "none", or names with commas between; nothing where one of them is unknown.
std::optional<std::set<FaultClass>> parse_faults(const std::string& text);
std::string text_of(const std::set<FaultClass>& faults);

struct Scenario {
  std::uint64_t seed = 1;
  unsigned certificates = 10;
  unsigned days = 365;
  std::set<FaultClass> faults;
  // Of the faults that the seed makes, in order: which part happens. A shrinker cuts here.
  unsigned first_fault = 0;
  unsigned last_fault = 0xffffffff;  // the one behind

  double certificate_years() const { return certificates * (days / 365.0); }
  std::string command(const std::string& program) const;
};

}  // namespace nolapse
