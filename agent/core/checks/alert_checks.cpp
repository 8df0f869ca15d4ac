// Can anybody be told? A channel that takes nothing is told of through the others.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"

namespace nolapse {
namespace {

constexpr int failures_that_count = 3;

std::vector<Finding> check_channels(const CheckContext& context, const CheckSubject&) {
  const std::size_t channels = context.config.alerts.channels.size();
  if (channels >= 2) return {};
  return {{"ALERT_CHANNELS_FEW",
           {},
           {},
           FindingSeverity::warning,
           channels == 0 ? "nobody is told when something is wrong: there is no alert channel"
                         : "there is one alert channel only; when it fails, nobody is told",
           std::to_string(channels) + " [[alerts.channel]] in the configuration",
           "add [[alerts.channel]] sections, two that do not fail together, then: nolapse alert "
           "test",
           {}}};
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
  std::vector<Finding> findings;
  for (const auto& [name, record] : state->channels) {
    if (record.failures < failures_that_count) continue;
    findings.push_back({"ALERT_CHANNEL_FAILING",
                        {},
                        "channel " + name,
                        FindingSeverity::error,
                        "the alert channel " + name + " takes nothing, " +
                            std::to_string(record.failures) + " times in a row",
                        record.error,
                        "correct it, then: nolapse alert test " + name,
                        {}});
  }
  return findings;
}

}  // namespace

CheckFamily alert_checks() {
  return {{{"ALERT_CHANNELS_FEW", "nobody, or one channel only, is told when something is wrong",
            "[alerts] was never configured, or has one channel.",
            "grep -A4 'alerts' /etc/nolapse/nolapse.toml",
            "Configure two channels that do not fail together: mail and a webhook, say."},
           {"ALERT_CHANNEL_FAILING", "an alert channel does not take messages",
            "The server is down or moved, a password or token was changed or has ended.",
            "nolapse alert test CHANNEL; nolapse alert list",
            "Correct its settings. What waits is delivered then."}},
          {plain_check({"ALERT_CHANNELS_FEW"}, CheckDepth::cheap, CheckScope::host, check_channels),
           plain_check({"ALERT_CHANNEL_FAILING", "STATE_UNREADABLE"}, CheckDepth::cheap,
                       CheckScope::host, check_delivery)}};
}

}  // namespace nolapse
