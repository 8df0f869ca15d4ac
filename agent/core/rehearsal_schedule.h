// When to rehearse, what counts as a rehearsal, and how old one may be: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/core/store.h"

namespace nolapse {

// Renewals of a certificate that lives under ten days come so often that they are the rehearsal.
bool renewals_are_rehearsals(const acme::Certificate& leaf);

// How often this certificate is rehearsed: as configured, but twice in its life at least.
Duration rehearsal_interval(Duration configured, const acme::Certificate* leaf);

struct RehearsalPlan {
  const CaConfig& ca;
  const Generation* newest = nullptr;     // none: a rehearsal has nothing to be earlier than
  const RehearsalRecord* last = nullptr;  // at this CA; none: never
  std::string configuration = {};         // digest_of() the one in force
  std::optional<Time> renews_at = {};     // the next renewal; nothing: it is due
  Duration interval = std::chrono::hours(24 * 7);  // configured; 0: no rehearsals
  Time since{};  // this process looks after the certificate since then
  Time now{};
  std::uint64_t random = 0;  // stays the same as long as the process lives
};

// When to rehearse at this CA; nothing: not by itself, as things are.
//   every interval, give or take a quarter
//   once in the days before the renewal: from a fifteenth to a thirtieth of the lifetime before it
//   at once where the configuration is another one, or the staging directory
//   after a failure an hour later, doubling up to a day
//   never while the renewal itself is due: it shows more; nor at the CA whose renewals count
std::optional<Time> next_rehearsal(const RehearsalPlan& plan);

// The last that counts at this CA: the saved one or, where renewals are rehearsals, the renewal.
// That one has no configuration.
std::optional<RehearsalRecord> counted_rehearsal(const RehearsalRecords& records,
                                                 const CaConfig& ca, const Generation* newest);

// What a result of that time is worth: nothing stays green for ever. Yellow from one and a half
// intervals, red from three; one from the future was made by a clock that was wrong: yellow.
enum class RehearsalAge { green, yellow, red };
RehearsalAge rehearsal_age(Time at, Duration interval, Time now);
const char* name_of(RehearsalAge age);

}  // namespace nolapse
