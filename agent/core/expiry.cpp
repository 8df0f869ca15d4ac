#include "agent/core/expiry.h"

#include <algorithm>

namespace nolapse {

ExpiryDays expiry_thresholds(const acme::Certificate& leaf, std::optional<Time> planned_renewal,
                             const ExpiryDays& days) {
  ExpiryDays thresholds = days;
  if (!planned_renewal) return thresholds;
  const Duration left = std::max<Duration>(leaf.not_after - *planned_renewal, Duration{0});
  const Duration span = std::min<Duration>(left - left / 10, days.front());
  for (Duration& threshold : thresholds) {
    threshold = Duration{static_cast<std::int64_t>(static_cast<double>(threshold.count()) *
                                                   static_cast<double>(span.count()) /
                                                   static_cast<double>(days.front().count()))};
  }
  return thresholds;
}

int expiry_step(const acme::Certificate& leaf, std::optional<Time> planned_renewal, Time now,
                const ExpiryDays& days) {
  if (now >= leaf.not_after) return 4;
  int step = 0;
  for (const Duration threshold : expiry_thresholds(leaf, planned_renewal, days)) {
    if (leaf.not_after - now <= threshold) ++step;
  }
  return step;
}

std::optional<Time> next_expiry_step(const acme::Certificate& leaf,
                                     std::optional<Time> planned_renewal, Time now,
                                     const ExpiryDays& days) {
  for (const Duration threshold : expiry_thresholds(leaf, planned_renewal, days)) {
    if (now < leaf.not_after - threshold) return leaf.not_after - threshold;
  }
  if (now < leaf.not_after) return leaf.not_after;
  return {};
}

bool must_tell_expiry(const SavedAlarm& told, int step, Time now) {
  if (step == 0) return false;
  if (step > told.step || !told.at) return true;
  // One told of in the future was told by a wrong clock.
  return now >= *told.at + std::chrono::hours(24) || now < *told.at;
}

std::string describe_expiry(const acme::Certificate& leaf, Time now) {
  const std::string at = " (" + acme::format_rfc3339(leaf.not_after) + ")";
  if (now >= leaf.not_after) {
    return "it expired " + acme::format_duration(now - leaf.not_after) + " ago" + at;
  }
  return "it expires in " + acme::format_duration(leaf.not_after - now) + at;
}

}  // namespace nolapse
