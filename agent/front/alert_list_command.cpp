// `nolapse alert list`: what is open and quiet for a while, and how the channels fare. From
// alerts.json, for whoever may read it.
#include <algorithm>
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/alert_rules.h"
#include "agent/core/store.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

json alert_object(const Alert& alert, const Silence* silence) {
  json told = json::object();
  for (const auto& [channel, each] : alert.told) told[channel] = acme::format_rfc3339(each.at);
  json object = finding_values(alert.finding);
  object["raised_at"] = acme::format_rfc3339(alert.raised_at);
  object["told_at"] = time_or_null(alert.told_at());
  object["told"] = std::move(told);
  object["silenced_until"] = silence != nullptr ? time_or_null(silence->until) : json();
  object["silence"] = silence != nullptr ? silence_values(*silence) : json();
  return object;
}

std::size_t waiting_for(const AlertState& state, const std::string& channel, bool refused_only) {
  return static_cast<std::size_t>(
      std::count_if(state.queue.begin(), state.queue.end(), [&](const AlertMessage& message) {
        return message.channel == channel && (message.refusals > 0 || !refused_only);
      }));
}

ChannelRecord record_of(const AlertState& state, const AlertChannel& channel) {
  const auto found = state.channels.find(channel.name);
  return found == state.channels.end() ? ChannelRecord{} : found->second;
}

json alerts_document(const AlertState& state, const Config& config, Time now,
                     const std::string& problem) {
  json alerts = json::array();
  for (const Alert& alert : state.open) {
    alerts.push_back(alert_object(alert, silence_of(state, alert.finding, now)));
  }
  json silences = json::array();
  for (const Silence& silence : state.silences) {
    if (silence.until > now) silences.push_back(silence_values(silence));
  }
  json channels = json::array();
  for (const AlertChannel& channel : config.alerts.channels) {
    json object = channel_values(channel.name, channel.type, record_of(state, channel),
                                 waiting_for(state, channel.name, false));
    object["refused"] = waiting_for(state, channel.name, true);
    channels.push_back(std::move(object));
  }
  return {{"schema", 1},
          {"problem", text_or_null(problem)},
          {"alerts", std::move(alerts)},
          {"silences", std::move(silences)},
          {"channels", std::move(channels)}};
}

void print_channel(const AlertState& state, const AlertChannel& channel) {
  const ChannelRecord record = record_of(state, channel);
  std::cout << "channel " << channel.name << " (" << channel.type << "): ";
  if (record.failures > 0) {
    std::cout << "FAILING: " << acme::printable(record.error);
  } else if (record.delivered_at) {
    std::cout << "delivered last on " << acme::format_rfc3339(*record.delivered_at);
  } else {
    std::cout << "nothing delivered yet";
  }
  if (!record.remark.empty()) std::cout << ", but " << acme::printable(record.remark);
  std::cout << '\n';
  for (const AlertMessage& message : state.queue) {
    if (message.channel != channel.name || message.refusals == 0) continue;
    std::cout << "  REFUSES " << message.finding.code << ' ' << message.finding.certificate << ": "
              << acme::printable(message.refusal) << '\n';
  }
}

void print_alerts(const AlertState& state, const Config& config, Time now) {
  for (const Alert& alert : state.open) {
    std::cout << name_of(alert.finding.severity) << ' ' << alert.finding.code << "  "
              << acme::printable(alert.finding.summary) << "\n  since "
              << acme::format_rfc3339(alert.raised_at);
    if (const auto told = alert.told_at()) std::cout << ", told " << acme::format_rfc3339(*told);
    if (const Silence* silence = silence_of(state, alert.finding, now)) {
      std::cout << ", silent until " << acme::format_rfc3339(silence->until) << " ("
                << acme::printable(silence->why) << ')';
    } else if (!alert.told_at()) {
      std::cout << ", NOBODY HAS BEEN TOLD YET";
    }
    std::cout << '\n';
  }
  for (const Silence& silence : state.silences) {
    if (silence.until <= now) continue;
    std::cout << "silence about " << acme::printable(silence.what) << " until "
              << acme::format_rfc3339(silence.until) << " (" << acme::printable(silence.why)
              << ")\n";
  }
  for (const AlertChannel& channel : config.alerts.channels) print_channel(state, channel);
  if (config.alerts.channels.empty()) std::cout << "there is no channel: nobody is told\n";
}

}  // namespace

// A damaged file hides neither the channels nor that it is damaged: the daemon begins a new one.
std::string damage_in_words(const Error& error) {
  return error.message +
         "; what was open and silent is lost, and the daemon tells anew what it "
         "finds";
}

int run_alert_list(const GlobalOptions& global, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  auto state = Store(config.state_directory, world.files).load_alerts();
  std::string problem;
  if (!state) {
    if (state.error().code != "BAD_STATE") return refuse(global, state.error());
    problem = damage_in_words(state.error());
    state = AlertState();
  }
  const Time now = world.clock.now();
  if (global.json) {
    std::cout << acme::dump(alerts_document(*state, config, now, problem), 2) << '\n';
  } else {
    if (!problem.empty()) {
      std::cout << "nobody knows what is open: " << acme::printable(problem) << '\n';
    } else if (state->open.empty()) {
      std::cout << "no alert is open\n";
    }
    print_alerts(*state, config, now);
  }
  return state->open.empty() && problem.empty() ? exit_status::ok : exit_status::failed;
}

}  // namespace nolapse
