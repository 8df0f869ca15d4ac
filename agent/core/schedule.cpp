#include "agent/core/schedule.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {
namespace {

using namespace std::chrono_literals;
using acme::Identifier;

std::vector<Identifier> sorted(std::vector<Identifier> identifiers) {
  std::sort(identifiers.begin(), identifiers.end());
  return identifiers;
}

}  // namespace

namespace {

// Of the operator's own files the type is not asked: whoever only looks may not have read them.
std::string changed_key(const RenewalInput& input) {
  const Generation& generation = *input.newest;
  const CertificateSpec& spec = input.spec;
  const bool own = !spec.csr_file.empty() || !spec.key_file.empty();
  if (!generation.has_key && (spec.csr_file.empty() || !spec.key_file.empty())) {
    return "the configuration now wants its private key here";
  }
  if (!input.own_public_key.empty() && input.own_public_key != generation.leaf().public_key_der) {
    return std::string(spec.csr_file.empty() ? "key_file" : "csr_file") + " has another key now";
  }
  if (!own && generation.key_type && *generation.key_type != spec.key_type) {
    return std::string("the configured key is now ") + acme::name_of(spec.key_type);
  }
  return {};
}

}  // namespace

std::string changed_specification(const RenewalInput& input) {
  const Generation& generation = *input.newest;
  const auto& present = generation.leaf().subject_alternative_names;
  for (const Identifier& wanted : input.spec.domains) {
    if (std::find(present.begin(), present.end(), wanted) == present.end()) {
      return "the configuration now names " + wanted.value;
    }
  }
  // A CA may add names of its own, so only what was asked for is compared.
  if (!generation.identifiers.empty() &&
      sorted(generation.identifiers) != sorted(input.spec.domains)) {
    return "the configuration names fewer domains";
  }
  if (std::string change = changed_key(input); !change.empty()) return change;
  if (generation.ca.empty()) return {};
  const auto& cas = input.spec.cas;
  const CaConfig* ca = input.config.find_issuer(generation.ca, generation.ca_directory);
  const std::string& name = ca == nullptr ? generation.ca : ca->name;
  if (std::find(cas.begin(), cas.end(), name) == cas.end()) {
    return (is_standby(input.spec.name) ? "the certificate itself is now from "
                                        : "the configuration no longer lists the CA ") +
           generation.ca;
  }
  if (ca == nullptr) return {};
  if (ca->directory != generation.ca_directory)
    return "the CA " + ca->name + " has another directory";
  const std::string& profile = input.spec.profile.empty() ? ca->profile : input.spec.profile;
  if (profile != generation.profile) return "the configured profile changed";
  return {};
}

Duration longest_renew_before(const acme::Certificate& leaf) {
  return (leaf.not_after - leaf.not_before) * 5 / 6;
}

namespace {

// Moves the renewal point to where the CA wants it, within what we allow it.
void follow_advice(const RenewalInput& input, Due& due) {
  const SavedRenewalInfo& info = *input.renewal_info;
  const acme::Certificate& leaf = input.newest->leaf();
  if (!info.window_known() || info.fingerprint_sha256 != leaf.fingerprint_sha256) return;
  Time latest = leaf.not_after - (leaf.not_after - leaf.not_before) / 6;
  if (input.spec.renew_before) latest = std::min(latest, due.at);
  due.at = std::min(info.instant, latest);
  // A CA that wants each new certificate replaced at once is wrong about some of them: one a day.
  const Duration pause = std::min<Duration>(24h, (leaf.not_after - leaf.not_before) / 10);
  if (is_recalled(input.newest, &info, input.now)) {
    due.reason = describe_recall(info);
    if (!info.recall_answered_at) return;
    const Time next = *info.recall_answered_at + pause;
    if (must_wait(next, pause, input.now)) due.at = next;
    return;
  }
  due.at = std::max<Time>(due.at, input.newest->issued_at + pause);
  due.reason = "the CA advises " + acme::format_rfc3339(info.instant);
  if (info.instant > latest) {
    due.reason += ", which is too late; the latest is " + acme::format_rfc3339(latest);
  }
  if (!info.explanation_url.empty()) due.reason += " (" + info.explanation_url + ")";
}

}  // namespace

Time renewal_point(const acme::Certificate& leaf, const std::optional<Duration>& renew_before) {
  const Duration lifetime = leaf.not_after - leaf.not_before;
  if (renew_before && *renew_before <= longest_renew_before(leaf)) {
    return leaf.not_after - *renew_before;
  }
  return leaf.not_after - (lifetime < 240h ? lifetime / 2 : lifetime / 3);
}

std::string ignored_renew_before(const acme::Certificate& leaf,
                                 const std::optional<Duration>& renew_before) {
  const Duration longest = longest_renew_before(leaf);
  if (!renew_before || *renew_before <= longest) return {};
  return "renew_before of " + acme::format_duration(*renew_before) +
         " is ignored: the certificate lives for " +
         acme::format_duration(leaf.not_after - leaf.not_before) + ", so that " +
         acme::format_duration(longest) + " is the most; lower or remove it";
}

namespace {

// Without regard to what was tried before.
Due planned_renewal(const RenewalInput& input) {
  const std::string change = changed_specification(input);
  if (!change.empty()) return {true, input.now, change};
  const acme::Certificate& leaf = input.newest->leaf();
  Due due{false, renewal_point(leaf, input.spec.renew_before), {}, true};
  due.reason = "the renewal point is " + acme::format_rfc3339(due.at) + ", " +
               acme::format_duration(leaf.not_after - due.at) + " before expiry";
  if (input.renewal_info != nullptr) follow_advice(input, due);
  const std::string ignored = ignored_renew_before(leaf, input.spec.renew_before);
  if (!ignored.empty()) due.reason += "; " + ignored;
  due.now = input.now >= due.at;
  if (input.now >= leaf.not_after) due.reason = "the certificate has expired";
  return due;
}

}  // namespace

Due next_renewal(const RenewalInput& input) {
  if (input.newest == nullptr) return {true, input.now, "there is no certificate yet"};
  if (input.requested) return {true, input.now, "requested with --force"};
  if (is_revoked(input.newest, input.revocation)) {
    return {true, input.now, input.revocation->describe()};
  }
  Due due = planned_renewal(input);
  if (!input.failed && !input.under_way) return due;
  // Whatever made it due first, it is to be finished.
  if (!due.now) due = {true, input.now, {}};
  due.reason =
      input.failed ? "the last attempt failed" : "an interrupted renewal is to be finished";
  return due;
}

bool is_revoked(const Generation* generation, const SavedRevocation* revocation) {
  return generation != nullptr && revocation != nullptr &&
         generation->leaf().fingerprint_sha256 == revocation->fingerprint_sha256;
}

bool is_recalled(const Generation* generation, const SavedRenewalInfo* advice, Time now) {
  if (generation == nullptr || advice == nullptr) return false;
  const acme::Certificate& leaf = generation->leaf();
  return advice->fingerprint_sha256 == leaf.fingerprint_sha256 && advice->window_known() &&
         advice->end <= now && advice->end < renewal_point(leaf, {});
}

std::string describe_recall(const SavedRenewalInfo& advice) {
  return "the CA wants it replaced before its time, by " + acme::format_rfc3339(advice.end) +
         (advice.explanation_url.empty() ? "" : " (" + advice.explanation_url + ")");
}

void note_revocation(ScheduleRecord& schedule, SavedRevocation revocation) {
  schedule.revocation = std::move(revocation);
  note_recall(schedule);
}

void note_recall(ScheduleRecord& schedule) {
  if (!schedule.last_error || !schedule.last_error->retry_after) schedule.next_attempt.reset();
}

bool little_is_left(const acme::Certificate* leaf, Time now) {
  return leaf == nullptr || now > little_is_left_from(*leaf);
}

Time little_is_left_from(const acme::Certificate& leaf) {
  const Duration lifetime = leaf.not_after - leaf.not_before;
  return leaf.not_after - (lifetime < 240h ? lifetime / 4 : lifetime / 6);
}

std::vector<Identifier> names_to_leave_out(const std::vector<Identifier>& wanted,
                                           const std::map<std::string, int>& refused,
                                           const acme::Certificate* leaf, Time now) {
  constexpr int attempts_to_be_sure = 3;
  if (!little_is_left(leaf, now)) return {};
  std::vector<Identifier> names;
  for (const Identifier& name : wanted) {
    const auto count = refused.find(name.value);
    if (count != refused.end() && count->second >= attempts_to_be_sure) names.push_back(name);
  }
  if (names.size() == wanted.size()) return {};
  return names;
}

bool may_fail_over(const FailOverInput& input) {
  if (input.kind == ErrorKind::validation || input.kind == ErrorKind::local ||
      input.kind == ErrorKind::held) {
    return false;
  }
  return (input.requested && !input.over_our_count) || little_is_left(input.leaf, input.now);
}

namespace {

// A minute doubling with each failure.
Duration doubling(int failures, Duration limit) {
  return std::min<Duration>(1min * (1 << std::clamp(failures - 1, 0, 10)), limit);
}

}  // namespace

Duration spread(Duration interval, std::uint64_t random) {
  const auto jitter = static_cast<std::int64_t>(random % 1001);  // 0 … 1000
  return interval * (750 + jitter / 2) / 1000;
}

Time next_deployment(int failures, Time now, std::uint64_t random) {
  return now + spread(doubling(failures, 1h), random);
}

bool must_wait(const std::optional<Time>& until, Duration longest, Time now) {
  return until && now < *until && *until - now <= longest;
}

bool must_wait(const ScheduleRecord& schedule, Time now) {
  const bool the_ca_asked = schedule.last_error && schedule.last_error->retry_after;
  return must_wait(schedule.next_attempt, the_ca_asked ? longest_retry_after : longest_back_off,
                   now);
}

Time next_look(const LookInput& input) {
  Time next = input.due.at;
  if (must_wait(input.schedule, input.now)) next = std::max(next, *input.schedule.next_attempt);
  const auto& advice = input.schedule.renewal_info;
  const bool polls = advice && advice->poll_after > input.now;
  if (input.verifiable) {
    Time check = input.now + spread(input.check_interval, input.random);
    // One look for both, where they are about due together.
    if (polls && advice->poll_after >= input.now + input.check_interval * 3 / 4 &&
        advice->poll_after <= input.now + input.check_interval * 5 / 4) {
      check = advice->poll_after;
    }
    next = std::min(next, check);
  }
  if (polls) next = std::min(next, advice->poll_after);
  // The CA's advice about a new certificate is asked for by its next look; where nothing is
  // verified, that would be the renewal.
  if (!polls && !input.verifiable && input.due.by_time) {
    next = std::min<Time>(next, input.now + longest_poll);
  }
  if (input.revocation_poll && *input.revocation_poll + 10h > input.now) {
    next = std::min<Time>(next, *input.revocation_poll + 10h);
  }
  for (const auto& [target, record] : input.deployments) {
    // One that is over was looked at just now, and there was nothing to do.
    if (record.next_attempt && *record.next_attempt > input.now) {
      next = std::min(next, *record.next_attempt);
    }
  }
  // Something in the past has just been tried: not again at once, whatever went wrong with it.
  return std::max(next, input.now + 1min);
}

Time next_attempt(const RetryInput& input) {
  Duration interval = doubling(input.failures, 12h);
  if (input.kind == ErrorKind::input) interval = 12h;
  interval = spread(interval, input.random);
  // Without a certificate a site is down.
  if (!input.not_after && input.kind != ErrorKind::input)
    interval = std::min<Duration>(interval, 1h);
  if (input.not_after) {
    const Duration remaining = *input.not_after - input.now;
    interval = remaining > Duration{0} ? std::min(interval, std::max<Duration>(remaining / 6, 5min))
                                       : std::min<Duration>(interval, 15min);
  }
  const Time at = input.now + interval;
  if (!input.retry_after) return at;
  return std::max(at, std::min<Time>(*input.retry_after, input.now + longest_retry_after));
}

OrderKind kind_of_order(const std::optional<Generation>& newest, const std::string& ca_directory,
                        const std::vector<acme::Identifier>& identifiers, Time now) {
  constexpr Duration memory_of_the_ca = std::chrono::hours(24 * 120);
  const bool renews = newest && newest->ca_directory == ca_directory &&
                      newest->identifiers == identifiers &&
                      now - newest->issued_at < memory_of_the_ca;
  return renews ? OrderKind::same_set : OrderKind::new_set;
}

std::optional<EndingProof> ends_too_early(Time proof_until, const acme::Certificate& leaf,
                                          std::optional<Duration> renew_before) {
  const Time next = renewal_point(leaf, renew_before);
  const Time after_next = next + (next - leaf.not_before);
  if (proof_until > after_next) return {};
  return EndingProof{proof_until <= next, proof_until <= next ? next : after_next};
}

}  // namespace nolapse
