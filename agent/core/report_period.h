// The periods of reports that come by themselves: whole months and whole weeks, in UTC.
#pragma once

#include <string>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

struct ReportSpan {
  std::string id;  // "2026-11"; of a week its Monday, "2026-11-16"
  Time since{};
  Time until{};
};

// That ended last.
ReportSpan last_month(Time now);
ReportSpan last_week(Time now);  // from Monday to Monday
// Nothing: "2026-11" is what a month looks like.
std::optional<ReportSpan> month_span(const std::string& month);

// When the next month or week begins, whichever is first.
Time next_boundary(Time now);

}  // namespace nolapse
