#include "agent/core/deployment_rules.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

namespace {

constexpr Duration day = 24h;

Duration time_of_day(Time now, Duration utc_offset) {
  return ((now.time_since_epoch() + utc_offset) % day + day) % day;
}

bool has_it(const DeploymentRecord& record, unsigned generation) {
  return record.generation == generation &&
         (record.stage == DeploymentStage::verified ||
          (record.stage == DeploymentStage::reloaded && record.judged));
}

}  // namespace

Duration until_window(const DailyWindow& window, Time now, Duration utc_offset) {
  const Duration at = time_of_day(now, utc_offset);
  const bool inside = window.from < window.until ? at >= window.from && at < window.until
                                                 : at >= window.from || at < window.until;
  if (inside) return Duration{0};
  return (window.from - at + day) % day;
}

std::optional<DailyWindow> parse_window(const std::string& text) {
  unsigned hours[2]{};
  unsigned minutes[2]{};
  int length = 0;
  // Each part has two digits, and nothing follows.
  if (std::sscanf(text.c_str(), "%2u:%2u-%2u:%2u%n", &hours[0], &minutes[0], &hours[1], &minutes[1],
                  &length) != 4 ||
      length != 11 || text.size() != 11) {
    return {};
  }
  if (text.find_first_not_of("0123456789:-") != std::string::npos) return {};
  if (hours[0] > 23 || hours[1] > 24 || minutes[0] > 59 || minutes[1] > 59) return {};
  const DailyWindow window{std::chrono::hours(hours[0]) + std::chrono::minutes(minutes[0]),
                           std::chrono::hours(hours[1]) + std::chrono::minutes(minutes[1])};
  if (window.until > day || window.from == window.until) return {};
  return window;
}

std::string format_window(const DailyWindow& window) {
  const auto clock = [](Duration at) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(at).count();
    const std::string hour = std::to_string(minutes / 60);
    const std::string minute = std::to_string(minutes % 60);
    return std::string(2 - hour.size(), '0') + hour + ":" + std::string(2 - minute.size(), '0') +
           minute;
  };
  return clock(window.from) + "-" + clock(window.until);
}

TargetDue target_due(const TargetInput& input) {
  const DeploymentRecord* record = input.record;
  if (record != nullptr && !input.again && has_it(*record, input.generation)) {
    return {TargetDue::When::done};
  }
  if (input.patience == Patience::none || record == nullptr) return {TargetDue::When::now};
  if (record->withdrawn == input.generation) return {TargetDue::When::withdrawn};
  TargetDue due;
  // What failed with another generation says little about this one; that it was rolled back does.
  const bool same_story =
      record->generation == input.generation || record->stage == DeploymentStage::rolled_back;
  if (input.patience == Patience::all && same_story &&
      must_wait(record->next_attempt, longest_deployment_pause, input.now)) {
    due = {TargetDue::When::later, *record->next_attempt};
  }
  const bool window_counts =
      input.target.window && input.little_is_left_from && input.now < *input.little_is_left_from;
  if (!window_counts) return due;
  const Time from = std::max(due.at, input.now);
  const Duration wait = until_window(*input.target.window, from, input.utc_offset);
  if (wait == Duration{0}) return due;
  return {TargetDue::When::later, std::min(from + wait, *input.little_is_left_from),
          due.when == TargetDue::When::now};
}

unsigned generation_at(const DeploymentRecord& record) {
  const bool is_there = record.stage == DeploymentStage::reloaded ||
                        record.stage == DeploymentStage::verified ||
                        record.stage == DeploymentStage::rolled_back;
  return is_there ? record.generation : record.former;
}

namespace {

// Of one target.
unsigned generation_meant(const DeployTarget& target, const DeploymentRecord& record,
                          unsigned newest, Time now) {
  if (record.withdrawn == newest) return record.generation;
  const bool waits_for_window =
      target.window && record.failures == 0 &&
      (record.stage == DeploymentStage::verified || record.stage == DeploymentStage::reloaded) &&
      record.next_attempt && now < *record.next_attempt;
  return waits_for_window ? record.generation : newest;
}

void add_once(std::vector<unsigned>& numbers, unsigned number) {
  if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
}

std::vector<unsigned> descending(std::vector<unsigned> numbers) {
  std::sort(numbers.begin(), numbers.end(), std::greater<>());
  return numbers;
}

}  // namespace

std::vector<unsigned> generations_to_serve(const CertificateSpec& spec, const Config& config,
                                           const DeploymentRecords& records, unsigned newest,
                                           Time now) {
  std::vector<unsigned> numbers;
  for (const std::string& name : spec.deploy) {
    const auto record = records.find(name);
    const auto target = config.targets.find(name);
    const bool known = record != records.end() && target != config.targets.end();
    add_once(numbers,
             known ? generation_meant(target->second, record->second, newest, now) : newest);
  }
  if (numbers.empty()) numbers.push_back(newest);
  return descending(std::move(numbers));
}

std::vector<unsigned> generations_left(const CertificateSpec& spec, const Config& config,
                                       const DeploymentRecords& records, unsigned newest,
                                       Time now) {
  std::vector<unsigned> numbers;
  for (const std::string& name : spec.deploy) {
    const auto record = records.find(name);
    const auto target = config.targets.find(name);
    if (record == records.end() || target == config.targets.end()) continue;
    const unsigned has = generation_at(record->second);
    const unsigned meant = generation_meant(target->second, record->second, newest, now);
    if (has != 0 && has != meant) add_once(numbers, has);
  }
  return descending(std::move(numbers));
}

unsigned way_back_to_finish(const CertificateSpec& spec, const DeploymentRecords& records,
                            unsigned newest) {
  for (const std::string& name : spec.deploy) {
    const auto found = records.find(name);
    if (found == records.end()) continue;
    const DeploymentRecord& record = found->second;
    const bool under_way = record.withdrawn == newest && record.generation != newest &&
                           record.stage != DeploymentStage::rolled_back;
    if (under_way && !has_it(record, record.generation)) return record.generation;
  }
  return 0;
}

DeploymentRecord begin_deployment(const DeploymentRecord* before, unsigned generation) {
  DeploymentRecord record;
  record.generation = generation;
  if (before == nullptr) return record;
  record.former = generation_at(*before) == generation ? before->former : generation_at(*before);
  // One that worked there and is brought again repairs what somebody else did: what was there
  // before it is no measure.
  const bool worked =
      before->stage == DeploymentStage::verified && before->generation == generation;
  if (record.former == generation || worked) record.former = 0;
  record.failures = before->failures;
  record.last_error = before->last_error;
  return record;
}

bool was_left_unjudged(const DeploymentRecord& record) {
  const bool may_be_served = record.stage == DeploymentStage::installed ||
                             record.stage == DeploymentStage::reloaded ||
                             record.stage == DeploymentStage::failed;
  return may_be_served && !record.judged && record.former != 0;
}

namespace {

// The same endpoint at the same address as it was then; nothing: it was not there.
const EndpointState* same_of(const std::vector<EndpointState>& before, const EndpointState& now) {
  const auto same = std::find_if(before.begin(), before.end(), [&](const EndpointState& then) {
    return then.endpoint == now.endpoint && then.address == now.address;
  });
  return same == before.end() ? nullptr : &*same;
}

}  // namespace

bool may_change(const std::vector<EndpointState>& before, const std::vector<EndpointState>& now) {
  return std::any_of(now.begin(), now.end(), [&](const EndpointState& state) {
    if (state.verdict != Verdict::unreachable) return !state.ok();
    const EndpointState* const same = same_of(before, state);
    return same != nullptr && same->verdict != Verdict::unreachable;
  });
}

std::string made_worse(const std::vector<EndpointState>& before,
                       const std::vector<EndpointState>& now) {
  for (const EndpointState& state : now) {
    const EndpointState* const same = same_of(before, state);
    if (same == nullptr || !same->service || !state.service) continue;
    if (*state.service < *same->service) {
      const std::string where =
          state.address.empty() ? state.endpoint : state.endpoint + " (" + state.address + ")";
      return where + ": " + state.detail;
    }
  }
  return {};
}

const EndpointState* newer_one(const std::vector<EndpointState>& endpoints,
                               const std::vector<std::string>& known_before,
                               const std::optional<SavedRevocation>& revocation) {
  const auto found = std::find_if(endpoints.begin(), endpoints.end(), [&](const auto& state) {
    const bool known = std::find(known_before.begin(), known_before.end(),
                                 state.fingerprint_sha256) != known_before.end();
    const bool is_bad = revocation && revocation->fingerprint_sha256 == state.fingerprint_sha256;
    return state.newer && !known && !is_bad;
  });
  return found == endpoints.end() ? nullptr : &*found;
}

std::string unfit_to_go_back_to(const Generation& generation,
                                const std::optional<SavedRevocation>& revocation, Time now) {
  const std::string number = "generation " + std::to_string(generation.number);
  if (now >= generation.leaf().not_after) {
    return number + " expired on " + acme::format_rfc3339(generation.leaf().not_after);
  }
  if (revocation && is_revoked(&generation, &*revocation)) {
    return number + ": " + revocation->describe();
  }
  return {};
}

Time next_deployment_after_rollback(int failures, Time now, std::uint64_t random) {
  const Duration pause = std::min<Duration>(1h * (1 << std::clamp(failures - 1, 0, 5)), day);
  return now + spread(pause, random);
}

}  // namespace nolapse
