#include "tests/simulation/health.h"

#include <algorithm>

namespace nolapse {

void Health::fall_ill(const std::string& part, Time now) {
  Part& state = parts_[part];
  if (++state.faults > 1) return;
  state.sick.push_back({now, Time::max()});
}

void Health::recover(const std::string& part, Time now) {
  Part& state = parts_[part];
  if (--state.faults == 0) state.sick.back().until = now;
}

bool Health::well(const std::string& part) const {
  const auto found = parts_.find(part);
  return found == parts_.end() || found->second.faults == 0;
}

std::optional<Time> Health::well_since(const std::vector<std::string>& parts,
                                       Time beginning) const {
  Time since = beginning;
  for (const std::string& part : parts) {
    const auto found = parts_.find(part);
    if (found == parts_.end() || found->second.sick.empty()) continue;
    if (found->second.faults > 0) return {};
    since = std::max(since, found->second.sick.back().until);
  }
  return since;
}

Duration Health::longest_stretch(const std::vector<std::string>& parts, Time from,
                                 Time until) const {
  std::vector<Interval> sick;
  for (const std::string& part : parts) {
    const auto found = parts_.find(part);
    if (found == parts_.end()) continue;
    const auto& all = found->second.sick;
    for (auto each = all.rbegin(); each != all.rend() && each->until > from; ++each)
      if (each->from < until) sick.push_back(*each);
  }
  std::sort(sick.begin(), sick.end(),
            [](const Interval& a, const Interval& b) { return a.from < b.from; });
  Duration longest{0};
  Time well_from = from;
  for (const Interval& each : sick) {
    longest = std::max<Duration>(longest, each.from - well_from);
    well_from = std::max(well_from, each.until);
  }
  return std::max<Duration>(longest, until - std::min(until, well_from));
}

}  // namespace nolapse
