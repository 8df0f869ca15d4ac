#include "agent/core/alert_rules.h"

#include <algorithm>

namespace nolapse {

using namespace std::chrono_literals;

namespace {

// Levels of expiry, whatever the code: the last threshold.
constexpr int last_threshold = 3;

Alert* find_open(AlertState& state, const Finding& finding) {
  const auto found = std::find_if(state.open.begin(), state.open.end(), [&](const Alert& alert) {
    return alert.finding.same_as(finding);
  });
  return found == state.open.end() ? nullptr : &*found;
}

// Older ones give way: what is true now counts more than what was true a week ago.
void tell(AlertState& state, const AlertsConfig& config, AlertNews news, const Finding& finding,
          Time now) {
  for (const AlertChannel& channel : config.channels) {
    state.queue.push_back({channel.name, news, finding, now});
  }
  if (state.queue.size() > longest_queue) {
    state.queue.erase(state.queue.begin(),
                      state.queue.end() - static_cast<std::ptrdiff_t>(longest_queue));
  }
}

bool is_alert(const Finding& finding, Time now) {
  if (finding.severity == FindingSeverity::ok) return false;
  if (finding.severity != FindingSeverity::unknown) return true;
  return finding.since && now - *finding.since >= patience_with_unknown;
}

bool is_worse(const Finding& now, const Finding& before) {
  return now.severity > before.severity || now.level > before.level;
}

// A clock that was set back must not keep anybody quiet.
bool is_due_again(const Alert& alert, const AlertsConfig& config, Time now) {
  return !alert.told_at || now < *alert.told_at || now - *alert.told_at >= config.repeat;
}

void follow(AlertState& state, Alert& alert, const Finding& finding, const AlertsConfig& config,
            Time now) {
  const bool worse = is_worse(finding, alert.finding);
  alert.finding = finding;
  if (silence_of(state, finding, now) != nullptr) return;
  if (!worse && !is_due_again(alert, config, now)) return;
  const AlertNews news = !alert.told_at ? AlertNews::raised
                         : worse        ? AlertNews::escalated
                                        : AlertNews::repeated;
  alert.told_at = now;
  tell(state, config, news, finding, now);
}

Duration delivery_pause(int failures) {
  return std::min<Duration>(1min * (1 << std::clamp(failures - 1, 0, 6)), 1h);
}

}  // namespace

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

const Silence* silence_of(const AlertState& state, const Finding& finding, Time now) {
  const bool last = finding.code == "EXPIRED" || finding.code == "SERVED_EXPIRED" ||
                    finding.level >= last_threshold;
  if (last) return nullptr;
  for (const Silence& silence : state.silences) {
    if (now >= silence.until) continue;
    if (silence.what == finding.code || silence.what == finding.certificate) return &silence;
  }
  return nullptr;
}

void update_alerts(AlertState& state, const std::vector<Finding>& findings,
                   const AlertsConfig& config, Time now) {
  std::erase_if(state.silences, [&](const Silence& silence) { return now >= silence.until; });
  // Channels that are no longer configured have nobody to deliver to.
  const auto is_gone = [&](const std::string& name) {
    return std::none_of(config.channels.begin(), config.channels.end(),
                        [&](const AlertChannel& channel) { return channel.name == name; });
  };
  std::erase_if(state.queue, [&](const AlertMessage& message) { return is_gone(message.channel); });
  std::erase_if(state.channels, [&](const auto& entry) { return is_gone(entry.first); });

  for (const Finding& finding : findings) {
    if (!is_alert(finding, now)) continue;
    Alert* alert = find_open(state, finding);
    if (alert == nullptr) {
      state.open.push_back({finding, now, {}});
      alert = &state.open.back();
    }
    follow(state, *alert, finding, config, now);
  }
  std::erase_if(state.open, [&](const Alert& alert) {
    const bool lasts = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.severity != FindingSeverity::ok && finding.same_as(alert.finding);
    });
    // Whoever was never told need not hear that it is over.
    if (!lasts && alert.told_at) tell(state, config, AlertNews::resolved, alert.finding, now);
    return !lasts;
  });
}

void try_channels(AlertState& state, const AlertsConfig& config, Time now) {
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
    state.queue.push_back({channel.name, AlertNews::trial, std::move(trial), now});
  }
}

void tell_report(AlertState& state, const ReportNotice& notice, const AlertsConfig& config,
                 Time now) {
  state.reported_until = notice.until;
  for (const AlertChannel& channel : config.channels) {
    if (channel.type == "pagerduty" || channel.type == "alertmanager") continue;
    Finding report{"REPORT",       {}, notice.id, FindingSeverity::ok, notice.headline,
                   notice.summary, {}};
    state.queue.push_back({channel.name, AlertNews::report, std::move(report), now});
  }
}

std::vector<AlertMessage> due_messages(const AlertState& state, const std::string& channel,
                                       Time now) {
  const auto record = state.channels.find(channel);
  if (record != state.channels.end() && record->second.next_attempt &&
      now < *record->second.next_attempt && *record->second.next_attempt - now <= 2h) {
    return {};
  }
  std::vector<AlertMessage> messages;
  for (const AlertMessage& message : state.queue) {
    if (message.channel == channel) messages.push_back(message);
  }
  return messages;
}

std::optional<Time> next_delivery(const AlertState& state, Time now) {
  std::optional<Time> next;
  for (const AlertMessage& message : state.queue) {
    const auto record = state.channels.find(message.channel);
    const bool waits = record != state.channels.end() && record->second.next_attempt &&
                       *record->second.next_attempt - now <= 2h;
    const Time at = waits ? std::max(*record->second.next_attempt, now) : now;
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

void note_delivery(AlertState& state, const std::string& channel, std::size_t messages,
                   const std::optional<std::string>& error, Time now) {
  ChannelRecord& record = state.channels[channel];
  if (error) {
    ++record.failures;
    if (!record.failing_since) record.failing_since = now;
    record.next_attempt = now + delivery_pause(record.failures);
    record.error = *error;
    return;
  }
  record = ChannelRecord{now, {}, {}, 0, {}};
  std::erase_if(state.queue, [&](const AlertMessage& message) {
    return message.channel == channel && messages > 0 && messages-- > 0;
  });
}

}  // namespace nolapse
