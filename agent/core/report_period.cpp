#include "agent/core/report_period.h"

#include <algorithm>

namespace nolapse {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year_month;

year_month month_of(Time time) {
  const std::chrono::year_month_day date(std::chrono::floor<days>(time));
  return date.year() / date.month();
}

sys_days monday_of(Time time) {
  const sys_days day = std::chrono::floor<days>(time);
  return day - (weekday(day) - std::chrono::Monday);
}

ReportSpan span_of(year_month month) {
  const Time since = sys_days(month / 1);
  return {acme::format_rfc3339(since).substr(0, 7), since,
          sys_days((month + std::chrono::months(1)) / 1)};
}

}  // namespace

ReportSpan last_month(Time now) {
  return span_of(month_of(now) - std::chrono::months(1));
}

ReportSpan last_week(Time now) {
  const Time since = monday_of(now) - days(7);
  return {acme::format_rfc3339(since).substr(0, 10), since, since + days(7)};
}

std::optional<ReportSpan> month_span(const std::string& month) {
  const auto since = acme::parse_rfc3339(month + "-01T00:00:00Z");
  if (!since || month.size() != 7) return {};
  return span_of(month_of(*since));
}

Time next_boundary(Time now) {
  const Time month = sys_days((month_of(now) + std::chrono::months(1)) / 1);
  return std::min<Time>(month, monday_of(now) + days(7));
}

}  // namespace nolapse
