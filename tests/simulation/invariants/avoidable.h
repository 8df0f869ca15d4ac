// When a lapse counts as avoidable. A certificate lapsed avoidably when, between its renewal point
// and its expiry, there was an uninterrupted stretch, as long as stretch_needed() says, in which
// everything was well that its renewal needs: the process and its clock, the disk, the resolver
// and its names, all machines that it is deployed to, and a CA. For the first CA the whole time
// counts; the others only where the agent may turn to them, in the last sixth of the lifetime (a
// quarter under ten days).
//
// The renewal point is the one by lifetime; where the CA's advice may be bad it is the latest one
// that an advice may set, a sixth before expiry. One with a name that is gone for good is renewed
// without it in that last part of its lifetime, not before. A standby that took over counts from
// then on.
#pragma once

#include "tests/simulation/fleet.h"

namespace nolapse {

// Longer than the longest pause between two attempts (15 h, or a sixth of what remains), with
// what a Retry-After may add to it.
inline Duration stretch_needed(Duration lifetime) {
  return std::chrono::hours(lifetime < std::chrono::hours(240) ? 16 : 24);
}

inline bool lapse_was_avoidable(const Fleet& fleet, const Kept& kept, const Leaf& leaf) {
  const Duration lifetime = leaf.lifetime();
  const bool is_short = lifetime < std::chrono::hours(240);
  const Duration before = fleet.advice_may_be_bad() ? lifetime / 6 : lifetime / (is_short ? 2 : 3);
  Time point = leaf.not_after - before + lifetime / 100;  // windows are that wide
  if (kept.issued && kept.issued->fingerprint == leaf.fingerprint) {
    point = std::max(point, kept.since);
  }
  const Time last_part = leaf.not_after - lifetime / (is_short ? 4 : 6);
  // Until then all its names are insisted on.
  if (kept.one_name_gone) point = std::max(point, last_part);
  bool first = true;
  for (const std::string& ca : kept.spec->cas) {
    std::vector<std::string> parts = kept.parts;
    parts.push_back(fleet.ca_part(ca));
    const Time from = std::max({point, first ? point : last_part, fleet.beginning()});
    if (fleet.health.longest_stretch(parts, from, leaf.not_after) >= stretch_needed(lifetime))
      return true;
    first = false;
  }
  return false;
}

}  // namespace nolapse
