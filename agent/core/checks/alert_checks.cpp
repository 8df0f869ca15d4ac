// Can anybody be told? A channel that takes nothing is told of through the others.
#include <set>
#include <string_view>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"

namespace nolapse {
namespace {

constexpr int failures_that_count = 3;
// Each channel is tried once a month, and may be tried again for some days.
constexpr Duration longest_silence = std::chrono::hours(24 * 35);
// The first messages of a daemon go out after its first self-test, and are tried four times by
// then.
constexpr Duration first_deliveries = std::chrono::minutes(15);
constexpr Duration clock_tolerance = std::chrono::hours(1);

// Where its messages come together, whoever sends them and by which credential. Never shown: it may
// be a secret.
std::string destination_of(const Files& files, const AlertChannel& channel) {
  // The addresses themselves stand in files where whoever has them may write there.
  constexpr const char* places[] = {"smtp", "url", "url_file", "routing_key_file", "program"};
  std::string text = channel.type;
  for (const char* key : places) {
    const auto setting = channel.settings.find(key);
    if (setting == channel.settings.end()) continue;
    std::string place = setting->second;
    if (std::string_view(key).ends_with("_file")) {
      place = files.read(place).value_or(place);
      place.erase(place.find_last_not_of(" \t\r\n") + 1);
    }
    text += "\n" + place;
  }
  const std::set<std::string> recipients(channel.to.begin(), channel.to.end());
  for (const std::string& recipient : recipients) text += "\n" + recipient;
  return text;
}

// Two that lead to the same place fail together.
std::vector<Finding> check_channels(const CheckContext& context, const CheckSubject&) {
  const auto& channels = context.config.alerts.channels;
  std::set<std::string> destinations;
  std::string names;
  for (const AlertChannel& channel : channels) {
    destinations.insert(destination_of(context.world.files, channel));
    names += (names.empty() ? "" : " and ") + channel.name;
  }
  if (destinations.size() >= 2) return {};
  return {{"ALERT_CHANNELS_FEW",
           {},
           {},
           FindingSeverity::warning,
           channels.empty() ? "nobody is told when something is wrong: there is no alert channel"
           : channels.size() == 1 ? "there is one alert channel only; when it fails, nobody is told"
                                  : "the alert channels " + names +
                                        " lead to one place; when it fails, nobody is told",
           std::to_string(channels.size()) + " [[alerts.channel]] in the configuration",
           "add [[alerts.channel]] sections, two that do not fail together, then: nolapse alert "
           "test",
           {}}};
}

Finding failing(const AlertChannel& channel, const ChannelRecord& record) {
  return {"ALERT_CHANNEL_FAILING",
          {},
          "channel " + channel.name,
          FindingSeverity::error,
          "the alert channel " + channel.name + " takes nothing, " +
              std::to_string(record.failures) + " times in a row",
          record.error,
          "correct it, then: nolapse alert test " + channel.name,
          {}};
}

bool has_delivered_lately(const ChannelRecord& record, Time now) {
  return record.delivered_at && now - *record.delivered_at <= longest_silence &&
         *record.delivered_at - now <= clock_tolerance;
}

// Nobody has seen it work: that is no failure, and nothing to rely on either.
Finding not_seen_to_work(const AlertChannel& channel, const ChannelRecord& record) {
  const bool never = !record.delivered_at;
  std::string evidence =
      never ? "alerts.json knows of no delivery"
            : "it has delivered last on " + acme::format_rfc3339(*record.delivered_at);
  if (record.failures > 0) evidence += "; the last attempt: " + record.error;
  return {"ALERT_CHANNEL_FAILING",
          {},
          "channel " + channel.name,
          FindingSeverity::unknown,
          "nobody knows whether the alert channel " + channel.name + " works: it has delivered " +
              (never ? "nothing yet" : "nothing for more than a month"),
          std::move(evidence),
          "see that the daemon runs, which tries each channel; nolapse alert test " + channel.name,
          {}};
}

std::vector<Finding> check_delivery(const CheckContext& context, const CheckSubject&) {
  const auto state = context.store.load_alerts();
  if (!state && is_denied(state.error())) {
    return {not_known("ALERT_CHANNEL_FAILING", "nobody knows whether alerts are delivered",
                      state.error())};
  }
  if (!state) {
    return {{"STATE_UNREADABLE",
             {},
             "alerts.json",
             FindingSeverity::warning,
             "alerts.json cannot be read",
             state.error().message,
             "nothing: what is open is told anew",
             {}}};
  }
  const Time now = context.world.clock.now();
  const bool has_just_begun = context.daemon && now - context.daemon->since < first_deliveries;
  std::vector<Finding> findings;
  for (const AlertChannel& channel : context.config.alerts.channels) {
    const auto found = state->channels.find(channel.name);
    const ChannelRecord record = found == state->channels.end() ? ChannelRecord{} : found->second;
    if (record.failures >= failures_that_count) {
      findings.push_back(failing(channel, record));
    } else if (!has_just_begun && !has_delivered_lately(record, now)) {
      findings.push_back(not_seen_to_work(channel, record));
    }
  }
  return findings;
}

}  // namespace

CheckFamily alert_checks() {
  return {
      {{"ALERT_CHANNELS_FEW", "nobody, or one channel only, is told when something is wrong",
        "[alerts] was never configured, or has one channel, or several of one type that lead to "
        "the same place.",
        "grep -A4 'alerts' /etc/nolapse/nolapse.toml",
        "Configure two channels that do not fail together: mail and a webhook, say."},
       {"ALERT_CHANNEL_FAILING",
        "an alert channel does not take messages, or nobody has seen it take one for a month",
        "The server is down or moved, a password or token was changed or has ended. Unknown: "
        "no daemon runs, which would try each channel.",
        "nolapse alert test CHANNEL; nolapse alert list",
        "Correct its settings. What waits is delivered then."}},
      {plain_check({"ALERT_CHANNELS_FEW"}, CheckDepth::cheap, CheckScope::host, check_channels),
       plain_check({"ALERT_CHANNEL_FAILING", "STATE_UNREADABLE"}, CheckDepth::cheap,
                   CheckScope::host, check_delivery)}};
}

}  // namespace nolapse
