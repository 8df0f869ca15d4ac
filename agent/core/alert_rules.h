// What becomes an alert, when it is told again, and what a silence may keep quiet: pure functions.
// Each channel is told for itself: what counts is what it has taken, and not what was meant for it.
// [design §5, "Alerts"]
#pragma once

#include "agent/core/alert_queue.h"

namespace nolapse {

// What nobody can tell is told when it lasts that long: a name server may be slow for a moment.
inline constexpr Duration patience_with_unknown = std::chrono::hours(2);
// A channel that delivered nothing for so long is tried, so that it is known to work.
inline constexpr Duration channel_trial_interval = std::chrono::hours(24 * 30);
// Alertmanager forgets at a restart; its clients tell it again all the time.
inline constexpr Duration alertmanager_interval = std::chrono::minutes(4);

// Follows the findings: what is new is raised, what is worse than what a channel was told
// escalated, what lasts repeated, what is over resolved; unless it is silenced. A channel that
// knows nothing of what is open is told all of it. What is about one of `left`, certificates that
// have left the configuration, is not over because nobody finds it: that is told instead, once.
AlertOverflow update_alerts(AlertState& state, const std::vector<Finding>& findings,
                            const AlertsConfig& config, Time now,
                            const std::vector<std::string>& left = {});

// Tells again whom it has to be told again before the next self-test.
AlertOverflow remind(AlertState& state, const AlertsConfig& config, Time now);
// When that is due next; nothing: never.
std::optional<Time> next_reminder(const AlertState& state, const AlertsConfig& config, Time now);

// What has to be told to a channel of an alert that is open: `told`, what it took of it last, and
// `waiting`, what it is to take; nothing: there is none. Nothing: it need not be told.
std::optional<AlertNews> news_for(const Finding& finding, const Told* told,
                                  const AlertMessage* waiting, Duration repeat, Time now);

// All is well, or somebody has taken each alert that is not silenced, as bad as it is.
bool everybody_is_told(const AlertState& state, Time now);

// Nobody knows it of a certificate, and it is no alert yet, nor silenced.
bool is_unknown_and_untold(const AlertState& state, const Finding& finding, Time now);

// Of the channels themselves: what one refuses although it works.
std::vector<Finding> channel_findings(const AlertState& state);

// In the place of one about the same. One that is over at once ends that.
void set_silence(AlertState& state, const Silence& silence, Time now);
// Nothing: it is not silenced. What is past the last threshold before expiry, or over, never is.
const Silence* silence_of(const AlertState& state, const Finding& finding, Time now);

// Puts a message into the queue of each channel that has not delivered anything for long.
void try_channels(AlertState& state, const AlertsConfig& config, Time now);

// Puts the report into the queue of each channel that is for people, and not for incidents.
AlertOverflow tell_report(AlertState& state, const ReportNotice& notice, const AlertsConfig& config,
                          Time now);

}  // namespace nolapse
