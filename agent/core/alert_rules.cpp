#include "agent/core/alert_rules.h"

#include <algorithm>

#include "agent/core/finding_fate.h"

namespace nolapse {

using namespace std::chrono_literals;

namespace {

// Levels of expiry, whatever the code: the last threshold, and when it is over.
constexpr int last_threshold = 3;
constexpr int over_level = 4;

int level_of(const std::string& code, int level) {
  return code == "EXPIRED" || code == "SERVED_EXPIRED" ? over_level : level;
}

// What Alertmanager and pagers keep until it is said that it is over.
bool keeps_incidents(const AlertChannel& channel) {
  return channel.type == "pagerduty" || channel.type == "alertmanager";
}

Duration repeat_for(const AlertChannel& channel, const AlertsConfig& config) {
  return channel.type == "alertmanager" ? std::min(alertmanager_interval, config.repeat)
                                        : config.repeat;
}

Alert* find_open(AlertState& state, const Finding& finding) {
  const auto found = std::find_if(state.open.begin(), state.open.end(), [&](const Alert& alert) {
    return alert.finding.same_as(finding);
  });
  return found == state.open.end() ? nullptr : &*found;
}

const Told* find_told(const Alert& alert, const std::string& channel) {
  const auto found = alert.told.find(channel);
  return found == alert.told.end() ? nullptr : &found->second;
}

bool is_alert(const Finding& finding, Time now) {
  if (finding.severity == FindingSeverity::ok) return false;
  if (finding.severity != FindingSeverity::unknown) return true;
  return finding.since && now - *finding.since >= patience_with_unknown;
}

bool is_worse(const Finding& now, const std::string& code, FindingSeverity severity, int level) {
  return now.severity > severity || level_of(now.code, now.level) > level_of(code, level);
}
bool is_worse(const Finding& now, const Told& told) {
  return is_worse(now, told.code, told.severity, told.level);
}

// A clock that was set back must not keep anybody quiet.
bool is_due_again(const Told& told, Duration repeat, Time now) {
  return now < told.at || now - told.at >= repeat;
}

void tell(AlertState& state, const AlertChannel& channel, AlertNews news, const Alert& alert,
          Time now, AlertOverflow& overflow) {
  AlertMessage message{channel.name, news, alert.finding, now};
  message.alert = alert.id;
  if (const Told* told = find_told(alert, channel.name)) message.before = *told;
  queue_message(state, std::move(message), overflow);
}

void tell_open(AlertState& state, const AlertChannel& channel, const AlertsConfig& config, Time now,
               AlertOverflow& overflow) {
  for (const Alert& alert : state.open) {
    if (silence_of(state, alert.finding, now) != nullptr) continue;
    AlertMessage* const waiting = find_waiting(state, channel.name, alert.id);
    const auto news = news_for(alert.finding, find_told(alert, channel.name), waiting,
                               repeat_for(channel, config), now);
    if (news) {
      tell(state, channel, *news, alert, now, overflow);
    } else if (waiting != nullptr) {
      waiting->finding = alert.finding;  // as it is now, in words
    }
  }
}

// Told are those who were told that it began, or will be: nobody else need hear that it is over.
void tell_end(AlertState& state, const Alert& alert, bool incidents_only,
              const AlertsConfig& config, Time now, AlertOverflow& overflow) {
  for (const AlertChannel& channel : config.channels) {
    const bool waits = find_waiting(state, channel.name, alert.id) != nullptr;
    if (incidents_only && !keeps_incidents(channel)) {
      std::erase_if(state.queue, [&](const AlertMessage& each) {
        return each.alert == alert.id && each.channel == channel.name;
      });
    } else if (waits || find_told(alert, channel.name) != nullptr) {
      tell(state, channel, AlertNews::resolved, alert, now, overflow);
    }
  }
}

// Nobody looks any more, and it may be as bad as ever. What keeps incidents would wait for an end
// for ever.
void tell_left(AlertState& state, Alert alert, const AlertsConfig& config, Time now,
               AlertOverflow& overflow) {
  Finding& finding = alert.finding;
  finding.summary =
      finding.certificate +
      " is not watched any more, it has left the configuration; last known: " + finding.summary;
  finding.fix = "nothing, if somebody else looks after it; else put it back";
  for (const AlertChannel& channel : config.channels) {
    const bool waits = find_waiting(state, channel.name, alert.id) != nullptr;
    if (!waits && find_told(alert, channel.name) == nullptr) continue;
    tell(state, channel, keeps_incidents(channel) ? AlertNews::resolved : AlertNews::repeated,
         alert, now, overflow);
  }
}

// Channels that are no longer configured have nobody to deliver to.
void forget_channels(AlertState& state, const AlertsConfig& config) {
  const auto is_gone = [&](const std::string& name) {
    return std::none_of(config.channels.begin(), config.channels.end(),
                        [&](const AlertChannel& channel) { return channel.name == name; });
  };
  std::erase_if(state.queue, [&](const AlertMessage& message) { return is_gone(message.channel); });
  std::erase_if(state.channels, [&](const auto& entry) { return is_gone(entry.first); });
  for (Alert& alert : state.open) {
    std::erase_if(alert.told, [&](const auto& entry) { return is_gone(entry.first); });
  }
}

bool lasts(const Finding& finding, const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& each) {
    return each.severity != FindingSeverity::ok && each.same_as(finding);
  });
}

// What is not found again is over, or is the same alert under another code. Of what nobody could
// see nothing is known: it stays open.
void end_alerts(AlertState& state, const std::vector<Finding>& findings, const AlertsConfig& config,
                Time now, const std::vector<std::string>& left, AlertOverflow& overflow) {
  std::vector<Finding> bad;
  for (const Finding& finding : findings) {
    if (finding.severity != FindingSeverity::ok) bad.push_back(finding);
  }
  std::vector<Finding> known;
  for (const Alert& alert : state.open) known.push_back(alert.finding);
  std::vector<Alert> open;
  for (Alert& alert : std::exchange(state.open, {})) {
    FindingFate fate{Fate::unseen, nullptr};
    if (!lasts(alert.finding, bad)) fate = fate_of(alert.finding, bad, known);
    const bool known_already =
        fate.successor != nullptr && std::any_of(known.begin(), known.end(), [&](const auto& each) {
          return each.same_as(*fate.successor);
        });
    const bool is_of_left =
        std::find(left.begin(), left.end(), alert.finding.certificate) != left.end();
    if (fate.fate == Fate::over && is_of_left) {
      tell_left(state, std::move(alert), config, now, overflow);
      continue;
    }
    if (fate.fate == Fate::over || known_already) {
      tell_end(state, alert, known_already, config, now, overflow);
      continue;
    }
    if (fate.fate == Fate::became) {
      alert.finding = *fate.successor;
      known.push_back(alert.finding);
    }
    open.push_back(std::move(alert));
  }
  state.open = std::move(open);
}

}  // namespace

std::optional<Time> Alert::told_at() const {
  std::optional<Time> last;
  for (const auto& [channel, each] : told) last = last ? std::max(*last, each.at) : each.at;
  return last;
}

const char* name_of(AlertNews news) {
  switch (news) {
    case AlertNews::raised:
      return "raised";
    case AlertNews::repeated:
      return "repeated";
    case AlertNews::escalated:
      return "escalated";
    case AlertNews::resolved:
      return "resolved";
    case AlertNews::trial:
      return "trial";
    case AlertNews::report:
      return "report";
  }
  return "raised";
}

void set_silence(AlertState& state, const Silence& silence, Time now) {
  std::erase_if(state.silences, [&](const Silence& each) { return each.what == silence.what; });
  if (silence.until > now) state.silences.push_back(silence);
}

const Silence* silence_of(const AlertState& state, const Finding& finding, Time now) {
  if (level_of(finding.code, finding.level) >= last_threshold) return nullptr;
  for (const Silence& silence : state.silences) {
    if (now >= silence.until) continue;
    if (silence.what == finding.code || silence.what == finding.certificate) return &silence;
  }
  return nullptr;
}

std::optional<AlertNews> news_for(const Finding& finding, const Told* told,
                                  const AlertMessage* waiting, Duration repeat, Time now) {
  // What waits for a few has been told.
  if (waiting != nullptr && !is_for_few(*waiting)) {
    const Finding& known = waiting->finding;
    const bool as_bad = finding.code == known.code && finding.subject == known.subject &&
                        !is_worse(finding, known.code, known.severity, known.level);
    if (as_bad && waiting->news != AlertNews::resolved) return {};
  }
  if (told == nullptr) return AlertNews::raised;
  if (is_worse(finding, *told)) return AlertNews::escalated;
  const bool renamed = finding.code != told->code || finding.subject != told->subject;
  if (renamed || is_due_again(*told, repeat, now)) return AlertNews::repeated;
  return {};
}

AlertOverflow update_alerts(AlertState& state, const std::vector<Finding>& findings,
                            const AlertsConfig& config, Time now,
                            const std::vector<std::string>& left) {
  AlertOverflow overflow;
  std::erase_if(state.silences, [&](const Silence& silence) { return now >= silence.until; });
  forget_channels(state, config);
  end_alerts(state, findings, config, now, left, overflow);
  for (const Finding& finding : findings) {
    if (!is_alert(finding, now)) continue;
    if (Alert* alert = find_open(state, finding)) {
      alert->finding = finding;
    } else {
      state.open.push_back({finding, now, {}, ++state.last_id});
    }
  }
  for (const AlertChannel& channel : config.channels) {
    tell_open(state, channel, config, now, overflow);
  }
  return overflow;
}

AlertOverflow remind(AlertState& state, const AlertsConfig& config, Time now) {
  AlertOverflow overflow;
  for (const AlertChannel& channel : config.channels) {
    if (repeat_for(channel, config) < config.repeat) {
      tell_open(state, channel, config, now, overflow);
    }
  }
  return overflow;
}

std::optional<Time> next_reminder(const AlertState& state, const AlertsConfig& config, Time now) {
  std::optional<Time> next;
  for (const AlertChannel& channel : config.channels) {
    const Duration repeat = repeat_for(channel, config);
    if (repeat == config.repeat) continue;
    for (const Alert& alert : state.open) {
      const Told* const told = find_told(alert, channel.name);
      if (told == nullptr || silence_of(state, alert.finding, now) != nullptr) continue;
      const bool waits =
          std::any_of(state.queue.begin(), state.queue.end(), [&](const AlertMessage& each) {
            return each.alert == alert.id && each.channel == channel.name;
          });
      if (waits) continue;
      const Time at = is_due_again(*told, repeat, now) ? now : told->at + repeat;
      next = next ? std::min(*next, at) : at;
    }
  }
  return next;
}

bool everybody_is_told(const AlertState& state, Time now) {
  return std::all_of(state.open.begin(), state.open.end(), [&](const Alert& alert) {
    if (silence_of(state, alert.finding, now) != nullptr) return true;
    return std::any_of(alert.told.begin(), alert.told.end(),
                       [&](const auto& entry) { return !is_worse(alert.finding, entry.second); });
  });
}

bool is_unknown_and_untold(const AlertState& state, const Finding& finding, Time now) {
  if (finding.severity != FindingSeverity::unknown || finding.certificate.empty()) return false;
  if (silence_of(state, finding, now) != nullptr) return false;
  return std::none_of(state.open.begin(), state.open.end(),
                      [&](const Alert& alert) { return alert.finding.same_as(finding); });
}

std::vector<Finding> channel_findings(const AlertState& state) {
  std::vector<Finding> findings;
  for (const auto& [name, record] : state.channels) {
    std::size_t refused = 0;
    std::string why;
    for (const AlertMessage& message : state.queue) {
      if (message.channel != name || message.refusals == 0) continue;
      ++refused;
      if (why.empty()) why = message.finding.code + ": " + message.refusal;
    }
    if (refused == 0 && record.remark.empty()) continue;
    findings.push_back({"ALERT_CHANNEL_FAILING",
                        {},
                        "channel " + name,
                        FindingSeverity::error,
                        refused > 0 ? "the alert channel " + name + " refuses " +
                                          std::to_string(refused) + " message(s)"
                                    : "the alert channel " + name + " does not reach everybody",
                        refused > 0 ? why : record.remark,
                        "correct it, then: nolapse alert test " + name,
                        {}});
  }
  return findings;
}

void try_channels(AlertState& state, const AlertsConfig& config, Time now) {
  AlertOverflow none;
  for (const AlertChannel& channel : config.channels) {
    const ChannelRecord& record = state.channels[channel.name];
    const bool waits =
        std::any_of(state.queue.begin(), state.queue.end(),
                    [&](const AlertMessage& message) { return message.channel == channel.name; });
    const bool known_to_work = record.delivered_at && now >= *record.delivered_at &&
                               now - *record.delivered_at < channel_trial_interval;
    if (waits || known_to_work) continue;
    Finding trial{"ALERT_TRIAL", {}, {}, FindingSeverity::ok, {}, {}, {}, now};
    trial.summary =
        "nolapse is watching, and this channel works; the next such message comes in a "
        "month";
    queue_message(state, {channel.name, AlertNews::trial, std::move(trial), now}, none);
  }
}

AlertOverflow tell_report(AlertState& state, const ReportNotice& notice, const AlertsConfig& config,
                          Time now) {
  AlertOverflow overflow;
  state.reported_until = notice.until;
  for (const AlertChannel& channel : config.channels) {
    if (keeps_incidents(channel)) continue;
    Finding report{"REPORT",       {}, notice.id, FindingSeverity::ok, notice.headline,
                   notice.summary, {}};
    queue_message(state, {channel.name, AlertNews::report, std::move(report), now}, overflow);
  }
  return overflow;
}

}  // namespace nolapse
