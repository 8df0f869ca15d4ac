// What becomes an alert, when it is told again, and what a silence may keep quiet: pure functions.
// [design §5, "Alerts"]
#pragma once

#include "agent/core/alert.h"

namespace nolapse {

// What nobody can tell is told when it lasts that long: a name server may be slow for a moment.
inline constexpr Duration patience_with_unknown = std::chrono::hours(2);
// A channel that delivered nothing for so long is tried, so that it is known to work.
inline constexpr Duration channel_trial_interval = std::chrono::hours(24 * 30);
// A queue that nobody empties keeps the newest.
inline constexpr std::size_t longest_queue = 1000;

// Follows the findings: what is new is raised, what is worse escalated, what lasts repeated, what
// is gone resolved; each with a message for every channel, unless it is silenced.
void update_alerts(AlertState& state, const std::vector<Finding>& findings,
                   const AlertsConfig& config, Time now);

// Nothing: it is not silenced. What is past the last threshold before expiry, or over, never is.
const Silence* silence_of(const AlertState& state, const Finding& finding, Time now);

// Puts a message into the queue of each channel that has not delivered anything for long.
void try_channels(AlertState& state, const AlertsConfig& config, Time now);

// Puts the report into the queue of each channel that is for people, and not for incidents.
void tell_report(AlertState& state, const ReportNotice& notice, const AlertsConfig& config,
                 Time now);

// The messages of one channel that are to be sent now, together; empty: none, or not yet.
std::vector<AlertMessage> due_messages(const AlertState& state, const std::string& channel,
                                       Time now);
// When there is something to send next; nothing: never.
std::optional<Time> next_delivery(const AlertState& state, Time now);

// After an attempt: the messages leave the queue, or wait: a minute doubling to an hour.
void note_delivery(AlertState& state, const std::string& channel, std::size_t messages,
                   const std::optional<std::string>& error, Time now);

}  // namespace nolapse
