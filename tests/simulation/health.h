// When which part of the world was fit to do its part of a renewal. From this the simulator knows
// whether a lapse could have been avoided: whether, between the renewal point and the expiry, all
// that a renewal needs was well for long enough at a stretch.
//
// A part is sick from the first to the last of the faults that overlap on it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/time.h"

namespace nolapse {

using acme::Duration;
using acme::Time;

struct Interval {
  Time from{};
  Time until{};  // Time::max() while it lasts
};

class Health {
 public:
  // Faults on a part may overlap; each fall_ill has its recover.
  void fall_ill(const std::string& part, Time now);
  void recover(const std::string& part, Time now);

  bool well(const std::string& part) const;
  // All of these parts, without interruption until `now`; nothing: not well at the moment.
  std::optional<Time> well_since(const std::vector<std::string>& parts, Time beginning) const;
  // The longest stretch inside of [from, until) in which all of these parts were well.
  Duration longest_stretch(const std::vector<std::string>& parts, Time from, Time until) const;

 private:
  struct Part {
    int faults = 0;
    std::vector<Interval> sick;  // in order, not overlapping
  };
  std::map<std::string, Part> parts_;
};

}  // namespace nolapse
