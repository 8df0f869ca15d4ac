// How near its end a certificate is, in steps that somebody must be told of. [design §5, "Alerts"]
#pragma once

#include <array>
#include <optional>
#include <string>

#include "agent/core/store.h"

namespace nolapse {

using ExpiryDays = std::array<Duration, 3>;
inline constexpr ExpiryDays usual_expiry_days = {
    std::chrono::hours(30 * 24), std::chrono::hours(15 * 24), std::chrono::hours(7 * 24)};

// How long before its end each step begins. They shrink together, so that a certificate that is
// renewed when it is planned to, or within a tenth of what is left then, crosses none of them.
// Without a plan they are the plain days.
ExpiryDays expiry_thresholds(const acme::Certificate& leaf, std::optional<Time> planned_renewal,
                             const ExpiryDays& days = usual_expiry_days);

// 0: far; 1 to 3: within that threshold; 4: over.
int expiry_step(const acme::Certificate& leaf, std::optional<Time> planned_renewal, Time now,
                const ExpiryDays& days = usual_expiry_days);

// When the next step begins; nothing when it is over.
std::optional<Time> next_expiry_step(const acme::Certificate& leaf,
                                     std::optional<Time> planned_renewal, Time now,
                                     const ExpiryDays& days = usual_expiry_days);

// Is it time to tell? When a step is new, and every day while it lasts.
bool must_tell_expiry(const SavedAlarm& told, int step, Time now);

// "it expires in 6d 3h (2026-11-30T09:00:00Z)", "it expired 2h ago (…)".
std::string describe_expiry(const acme::Certificate& leaf, Time now);

}  // namespace nolapse
