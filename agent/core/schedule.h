// When to renew, and when to try again: pure functions whose answers carry their reason.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/store.h"

namespace nolapse {

struct Due {
  bool now = false;
  Time at{};             // the renewal point; in the past when due
  std::string reason;    // "no certificate yet", "a third of the lifetime is left", …
  bool by_time = false;  // `at` was computed from the certificate and the CA's advice
};

struct RenewalInput {
  const CertificateSpec& spec;
  const Config& config;
  const Generation* newest = nullptr;  // none: never issued, or nothing readable
  bool requested = false;              // by an operator
  bool under_way = false;              // an attempt was interrupted and can be gone on with
  bool failed = false;                 // the last attempt; whatever made it due, it is not done
  Time now{};
  const SavedRenewalInfo* renewal_info =
      nullptr;                                  // the CA's advice for the newest; none: not known
  const SavedRevocation* revocation = nullptr;  // the last that was heard of, of any certificate
  std::string own_public_key = {};              // see own_request.h
};

// An operator's request, a revocation, an interrupted attempt, a changed CertificateSpec, or the
// renewal point: `renew_before`, else a third of the lifetime left, half when the lifetime is under
// ten days.
Due next_renewal(const RenewalInput& input);

// The first difference between what was issued (`newest`, which must be there) and what is wanted
// now, in words; empty: none.
std::string changed_specification(const RenewalInput& input);
// Is it this one that is revoked?
bool is_revoked(const Generation* generation, const SavedRevocation* revocation);

// Does the CA want it replaced before its time, because of an incident or a revocation? The sign is
// a window of the CA's that was over before the certificate was due by its age: one that was merely
// missed ends later. [RFC 9773 §4.2]
bool is_recalled(const Generation* generation, const SavedRenewalInfo* advice, Time now);
// For people, with the CA's explanation.
std::string describe_recall(const SavedRenewalInfo& advice);

// Notes that a certificate is revoked, or recalled: what failed before failed for one that could
// wait; only what the CA asked us to wait for stays.
void note_revocation(ScheduleRecord& schedule, SavedRevocation revocation);
void note_recall(ScheduleRecord& schedule);

// When the lifetime alone asks for a renewal. A `renew_before` that leaves less than a sixth of
// the lifetime for use is ignored: it would renew for ever.
Time renewal_point(const acme::Certificate& leaf, const std::optional<Duration>& renew_before);
// For people: that it is ignored, and what to do. Empty: it is not.
std::string ignored_renew_before(const acme::Certificate& leaf,
                                 const std::optional<Duration>& renew_before);

// Less than a sixth of the lifetime (a quarter under ten days), or there is none: from here on
// what keeps a certificate counts more than what spares a CA.
bool little_is_left(const acme::Certificate* leaf, Time now);
Time little_is_left_from(const acme::Certificate& leaf);

// One name that fails must not cost the others their certificate: the names to leave out of the
// next order, those that were refused in three attempts in a row, once little is left and where
// another name remains. They stay wanted: the whole set is due again at once, with back-off.
std::vector<acme::Identifier> names_to_leave_out(const std::vector<acme::Identifier>& wanted,
                                                 const std::map<std::string, int>& refused,
                                                 const acme::Certificate* leaf, Time now);

struct FailOverInput {
  ErrorKind kind = ErrorKind::transient;    // how the CA at hand failed
  const acme::Certificate* leaf = nullptr;  // in use; nothing: there is none
  bool requested = false;                   // by an operator
  Time now{};
  bool over_our_count = false;  // our own count of its limits refused
};

// May the next configured CA be asked at once? When the fault is the CA's (a proof that it could
// not see, or a full disk, is not) and little is left, or an operator wants one now. What our count
// refuses to an operator is not the CA's fault: he would only spend what the next one allows.
bool may_fail_over(const FailOverInput& input);

struct RetryInput {
  int failures = 1;  // in a row, this one included
  ErrorKind kind = ErrorKind::transient;
  std::optional<Time> retry_after;
  std::optional<Time> not_after;  // of the certificate in use; nothing: there is none
  Time now{};
  std::uint64_t random = 0;
};

// 1 min doubling to 12 h, ± 25 %, so that six more attempts fit into what remains, but never
// under 5 min; past expiry every 15 min, and without any certificate at least hourly. What waits
// for a person starts at the slow end. The CA's Retry-After is obeyed over all, up to 30 days.
Time next_attempt(const RetryInput& input);

// The longest waits there are, jitter included.
inline constexpr Duration longest_back_off = std::chrono::hours(15);
inline constexpr Duration longest_retry_after = std::chrono::hours(30 * 24);
inline constexpr Duration longest_poll = std::chrono::hours(24);

// Is the noted moment still to come? One that is further ahead than the longest wait of its kind
// was noted while the clock was wrong, and holds up nothing.
bool must_wait(const std::optional<Time>& until, Duration longest, Time now);
bool must_wait(const ScheduleRecord& schedule, Time now);  // with the next attempt

// After a failed deployment: 1 min doubling to 1 h, ± 25 %.
Time next_deployment(int failures, Time now, std::uint64_t random);
inline constexpr Duration longest_deployment_pause = std::chrono::hours(30);  // after a roll-back

// Give or take a quarter, so that what failed together does not come back together.
Duration spread(Duration interval, std::uint64_t random);

struct LookInput {
  const Due& due;
  const ScheduleRecord& schedule;
  const DeploymentRecords& deployments;
  Time now{};
  std::uint64_t random = 0;
  bool verifiable = false;  // there is something that endpoints may be asked
  Duration check_interval = std::chrono::hours(1);
  std::optional<Time> revocation_poll = {};  // when the list of the revoked may be asked again
};

// When the daemon has to look at a certificate again: its renewal or the next attempt at one, the
// next attempt at a deployment, the next poll of the CA's advice, and every `check_interval`, give
// or take a quarter, what is served. The poll for revocations goes along with a look that comes
// within ten hours of it.
Time next_look(const LookInput& input);

// What the CA does to an order for these names when it counts, before it hears of ARI.
OrderKind kind_of_order(const std::optional<Generation>& newest, const std::string& ca_directory,
                        const std::vector<acme::Identifier>& identifiers, Time now);

// A record that was set once is forgotten until it is missed.
struct EndingProof {
  bool late;    // it ends before the next renewal, not only before the one after that
  Time before;  // about when that renewal is
};
// Nothing: it outlives two renewals of this certificate.
std::optional<EndingProof> ends_too_early(Time proof_until, const acme::Certificate& leaf,
                                          std::optional<Duration> renew_before);

}  // namespace nolapse
