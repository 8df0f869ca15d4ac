#include "agent/core/rehearsal_schedule.h"

#include <algorithm>

#include "agent/core/schedule.h"

namespace nolapse {
namespace {

using namespace std::chrono_literals;

constexpr Duration longest_delay = 10min;
constexpr Duration longest_lead = 24h * 7;
constexpr Duration longest_back_off = 24h;
// By how much clocks differ without anybody having been wrong.
constexpr Duration clock_tolerance = 1h;

Duration lifetime_of(const acme::Certificate& leaf) {
  return leaf.not_after - leaf.not_before;
}

// Of something that many hosts notice in the same moment.
Duration part_of(Duration duration, std::uint64_t random) {
  return duration * static_cast<std::int64_t>(random % 1000) / 1000;
}

Duration back_off(int failures, Duration interval) {
  const Duration doubled = 1h * (1 << std::clamp(failures - 1, 0, 5));
  return std::min({doubled, longest_back_off, interval});
}

// Noted by a clock that was wrong, or for another configuration.
bool is_void(const RehearsalPlan& plan) {
  return plan.last->at > plan.now + clock_tolerance ||
         plan.last->configuration != plan.configuration || plan.last->staging != plan.ca.staging;
}

// Once in the days before a renewal, while there is time to act on what is found.
Time before_renewal(const RehearsalPlan& plan, Time at) {
  const Duration lead = std::min(lifetime_of(plan.newest->leaf()) / 30, longest_lead);
  if (plan.last->at >= *plan.renews_at - 2 * lead) return at;
  return std::min(at, *plan.renews_at - lead - part_of(lead, plan.last->jitter));
}

}  // namespace

bool renewals_are_rehearsals(const acme::Certificate& leaf) {
  return lifetime_of(leaf) < 240h;
}

Duration rehearsal_interval(Duration configured, const acme::Certificate* leaf) {
  return leaf == nullptr ? configured : std::min(configured, lifetime_of(*leaf) / 2);
}

std::optional<Time> next_rehearsal(const RehearsalPlan& plan) {
  const Generation* newest = plan.newest;
  if (plan.interval == Duration{0} || newest == nullptr) return {};
  if (!plan.renews_at || *plan.renews_at <= plan.now) return {};
  if (renewals_are_rehearsals(newest->leaf()) && newest->ca_directory == plan.ca.directory) {
    return {};
  }
  const Duration interval = rehearsal_interval(plan.interval, &newest->leaf());
  const Duration delay = std::min(interval / 100, longest_delay);
  const Time soon = plan.since + part_of(delay, plan.random);
  if (plan.last == nullptr) return std::max(soon, newest->issued_at + interval / 100);
  if (is_void(plan)) return soon;
  const RehearsalRecord& last = *plan.last;
  if (last.result == RehearsalResult::failed) {
    return std::max(soon, last.at + spread(back_off(last.failures, interval), last.jitter));
  }
  return std::max(soon, before_renewal(plan, last.at + spread(interval, last.jitter)));
}

std::optional<RehearsalRecord> counted_rehearsal(const RehearsalRecords& records,
                                                 const CaConfig& ca, const Generation* newest) {
  const bool renewed = newest != nullptr && newest->ca_directory == ca.directory &&
                       renewals_are_rehearsals(newest->leaf());
  const auto saved = records.find(ca.name);
  if (saved != records.end() && (!renewed || saved->second.at > newest->issued_at)) {
    return saved->second;
  }
  if (!renewed) return {};
  RehearsalRecord record;
  record.at = newest->issued_at;
  record.result = RehearsalResult::passed;
  return record;
}

RehearsalAge rehearsal_age(Time at, Duration interval, Time now) {
  if (at > now + clock_tolerance) return RehearsalAge::yellow;
  if (now - at >= 3 * interval) return RehearsalAge::red;
  return now - at >= interval * 3 / 2 ? RehearsalAge::yellow : RehearsalAge::green;
}

const char* name_of(RehearsalAge age) {
  if (age == RehearsalAge::green) return "green";
  return age == RehearsalAge::yellow ? "yellow" : "red";
}

}  // namespace nolapse
