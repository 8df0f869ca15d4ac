#include "agent/core/rehearsal_standing.h"

#include <algorithm>

namespace nolapse {
namespace {

using State = RehearsalStanding::State;

Finding finding(const char* code, FindingSeverity severity, std::string summary,
                std::string evidence, std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : "; ") + item;
  return text;
}

}  // namespace

RehearsalStanding rehearsal_standing(const RehearsalRecords& records, const CaConfig& ca,
                                     const Generation* newest, Duration interval, Time now) {
  RehearsalStanding standing;
  if (interval == Duration{0} || newest == nullptr) return standing;
  standing.record = counted_rehearsal(records, ca, newest);
  // A new certificate is evidence enough for the first time.
  standing.at = standing.record ? standing.record->at : newest->issued_at;
  standing.age = rehearsal_age(standing.at, rehearsal_interval(interval, &newest->leaf()), now);
  const auto result = standing.record ? standing.record->result : RehearsalResult::passed;
  if (result == RehearsalResult::failed) {
    standing.state = State::failed;
  } else if (standing.age != RehearsalAge::green) {
    standing.state = State::old;
  } else {
    standing.state = result == RehearsalResult::partial ? State::partial : State::passed;
  }
  return standing;
}

std::optional<Finding> finding_on(const RehearsalStanding& standing, const std::string& certificate,
                                  const std::string& ca, Time now) {
  const auto& record = standing.record;
  const std::string at = acme::format_rfc3339(standing.at);
  switch (standing.state) {
    case State::not_wanted:
    case State::passed:
      break;
    case State::partial:
      return finding("REHEARSAL_PARTIAL", FindingSeverity::ok,
                     certificate + ": its rehearsal at " + ca + " could not show everything",
                     joined(record->not_shown), {});
    case State::old:
      return finding(
          "REHEARSAL_OLD",
          standing.age == RehearsalAge::red ? FindingSeverity::error : FindingSeverity::warning,
          certificate + ": nobody has tried its renewal at " + ca + " for " +
              acme::format_duration(std::max<Duration>(now - standing.at, Duration{0})),
          record ? "the last rehearsal was on " + at : "it was never rehearsed; issued on " + at,
          "nolapse rehearse " + certificate + "; see whether the daemon runs");
    case State::failed:
      return finding(
          "REHEARSAL_FAILED", FindingSeverity::error,
          certificate + ": its rehearsal at " + ca + " failed, as its renewal would",
          "on " + at +
              (record->error ? ", " + record->error->code + ": " + record->error->message : ""),
          "correct that, then: nolapse rehearse " + certificate);
  }
  return {};
}

}  // namespace nolapse
