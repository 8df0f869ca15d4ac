// `nolapse alert`: what is open, quiet for a while, and whether each channel takes a message.
//
//   list      from alerts.json, whoever may read it
//   silence   by the daemon where one runs, because alerts.json is its; else under the lock
//   test      by this process, at once, past queue and back-off
#include <algorithm>
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/alert_delivery.h"
#include "agent/core/alert_rules.h"
#include "agent/core/check_catalogue.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

using nlohmann::json;

json time_or_null(const std::optional<Time>& time) {
  return time ? json(acme::format_rfc3339(*time)) : json(nullptr);
}

json alerts_document(const AlertState& state, const Config& config, Time now) {
  json alerts = json::array();
  for (const Alert& alert : state.open) {
    const Silence* const silence = silence_of(state, alert.finding, now);
    alerts.push_back(
        {{"code", alert.finding.code},
         {"certificate",
          alert.finding.certificate.empty() ? json(nullptr) : json(alert.finding.certificate)},
         {"severity", name_of(alert.finding.severity)},
         {"summary", alert.finding.summary},
         {"raised_at", acme::format_rfc3339(alert.raised_at)},
         {"told_at", time_or_null(alert.told_at)},
         {"silenced_until",
          silence != nullptr ? json(acme::format_rfc3339(silence->until)) : json()}});
  }
  json channels = json::array();
  for (const AlertChannel& channel : config.alerts.channels) {
    const auto found = state.channels.find(channel.name);
    const ChannelRecord record = found == state.channels.end() ? ChannelRecord{} : found->second;
    channels.push_back({{"name", channel.name},
                        {"type", channel.type},
                        {"delivered_at", time_or_null(record.delivered_at)},
                        {"failing_since", time_or_null(record.failing_since)},
                        {"error", record.error.empty() ? json(nullptr) : json(record.error)},
                        {"waiting", std::count_if(state.queue.begin(), state.queue.end(),
                                                  [&](const AlertMessage& message) {
                                                    return message.channel == channel.name;
                                                  })}});
  }
  return {{"schema", 1}, {"alerts", std::move(alerts)}, {"channels", std::move(channels)}};
}

void print_alerts(const AlertState& state, const Config& config, Time now) {
  if (state.open.empty()) std::cout << "no alert is open\n";
  for (const Alert& alert : state.open) {
    std::cout << name_of(alert.finding.severity) << ' ' << alert.finding.code << "  "
              << acme::printable(alert.finding.summary) << "\n  since "
              << acme::format_rfc3339(alert.raised_at);
    if (alert.told_at) std::cout << ", told " << acme::format_rfc3339(*alert.told_at);
    if (const Silence* silence = silence_of(state, alert.finding, now)) {
      std::cout << ", silent until " << acme::format_rfc3339(silence->until) << " ("
                << acme::printable(silence->why) << ')';
    }
    std::cout << '\n';
  }
  for (const AlertChannel& channel : config.alerts.channels) {
    const auto found = state.channels.find(channel.name);
    std::cout << "channel " << channel.name << " (" << channel.type << "): ";
    if (found != state.channels.end() && found->second.failures > 0) {
      std::cout << "FAILING: " << acme::printable(found->second.error) << '\n';
    } else if (found != state.channels.end() && found->second.delivered_at) {
      std::cout << "delivered last on " << acme::format_rfc3339(*found->second.delivered_at)
                << '\n';
    } else {
      std::cout << "nothing delivered yet\n";
    }
  }
  if (config.alerts.channels.empty()) std::cout << "there is no channel: nobody is told\n";
}

int list_alerts(const GlobalOptions& global, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  const auto state = Store(config.state_directory, world.files).load_alerts();
  if (!state) return refuse(global, state.error());
  const Time now = world.clock.now();
  if (global.json) {
    std::cout << acme::dump(alerts_document(*state, config, now), 2) << '\n';
  } else {
    print_alerts(*state, config, now);
  }
  return state->open.empty() ? exit_status::ok : exit_status::failed;
}

// ---- silence

std::optional<Error> objection_to(const AlertCommand& command, const Config& config) {
  if (command.why.empty()) {
    return usage_error("NO_REASON", "say why it is silent: --why TEXT");
  }
  if (!unknown_name({command.what}, config) || find_code_page(command.what) != nullptr) {
    return {};
  }
  return usage_error("UNKNOWN_SUBJECT", "\"" + command.what +
                                            "\" is neither a configured certificate nor a code; "
                                            "see nolapse check --list");
}

Result<void> silence_alone(RealWorld& real, const Config& config, const Silence& silence) {
  const World world = real.world();
  const Store store(config.state_directory, world.files);
  auto lock = world.files.lock(store.lock_path(), "nolapse alert silence");
  if (!lock) return fail(lock.error());
  auto state = store.load_alerts();
  if (!state) return fail(state.error());
  std::erase_if(state->silences, [&](const Silence& each) { return each.what == silence.what; });
  state->silences.push_back(silence);
  std::optional<Result<void>> saved;
  world.files.run(store.save_alerts(*state), [&](Result<void> outcome) { saved = outcome; });
  real.run_until([&] { return saved.has_value(); });
  return *saved;
}

int silence_alerts(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  if (const auto error = objection_to(command, config)) return refuse(global, *error);
  const auto duration = acme::parse_duration(command.duration);
  if (!duration || *duration <= Duration{0} || *duration > std::chrono::hours(24 * 90)) {
    return refuse(global, usage_error("BAD_DURATION", "\"" + command.duration +
                                                          "\" is no time to be silent for; write "
                                                          "--for 24h, at most 90d"));
  }
  RealWorld real(world_options(config));
  ControlRequest request;
  request.command = ControlRequest::Command::silence;
  request.silence = {command.what, real.world().clock.now() + *duration, command.why};
  request.json = global.json;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());
  const auto done = silence_alone(real, config, request.silence);
  if (!done) return refuse(global, done.error());
  std::cout << silenced_text(request.silence, global.json);
  return exit_status::ok;
}

// ---- test

AlertMessage test_message(const AlertChannel& channel, Time now) {
  Finding finding{"ALERT_TEST", {}, {}, FindingSeverity::ok, {}, {}, {}, now};
  finding.summary = "this is a test of the alert channel " + channel.name + "; nothing is wrong";
  return {channel.name, AlertNews::trial, std::move(finding), now};
}

int test_channels(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  std::vector<std::pair<std::string, std::optional<Result<void>>>> outcomes;
  for (const AlertChannel& channel : config.alerts.channels) {
    if (command.what.empty() || command.what == channel.name) {
      outcomes.emplace_back(channel.name, std::nullopt);
    }
  }
  if (outcomes.empty()) {
    return refuse(global, usage_error("UNKNOWN_CHANNEL",
                                      command.what.empty()
                                          ? "there is no [[alerts.channel]] in the configuration"
                                          : "no channel is named \"" + command.what + "\""));
  }
  for (auto& [name, outcome] : outcomes) {
    const auto channel =
        std::find_if(config.alerts.channels.begin(), config.alerts.channels.end(),
                     [&, &wanted = name](const AlertChannel& each) { return each.name == wanted; });
    deliver_alerts(world, *channel, {test_message(*channel, world.clock.now())},
                   config.alerts.repeat,
                   [&into = outcome](Result<void> result) { into = std::move(result); });
  }
  real.run_until([&] {
    return std::all_of(outcomes.begin(), outcomes.end(),
                       [](const auto& each) { return each.second.has_value(); });
  });
  bool all = true;
  json list = json::array();
  for (const auto& [name, outcome] : outcomes) {
    const bool delivered = outcome->has_value();
    all = all && delivered;
    list.push_back({{"channel", name},
                    {"delivered", delivered},
                    {"error", delivered ? json(nullptr) : json(outcome->error().message)}});
    if (!global.json) {
      std::cout << name << ": "
                << (delivered ? "delivered"
                              : "FAILED: " + acme::printable(outcome->error().message))
                << '\n';
    }
  }
  if (global.json) {
    std::cout << acme::dump(json{{"schema", 1}, {"ok", all}, {"channels", list}}, 2) << '\n';
  }
  return all ? exit_status::ok : exit_status::failed;
}

}  // namespace

std::string silenced_text(const Silence& silence, bool json_wanted) {
  if (json_wanted) {
    return acme::dump(json{{"schema", 1},
                           {"silenced", silence.what},
                           {"until", acme::format_rfc3339(silence.until)}},
                      2) +
           "\n";
  }
  return silence.what + ": silent until " + acme::format_rfc3339(silence.until) +
         "; what is about to expire is told all the same\n";
}

int run_alert(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  switch (command.action) {
    case AlertCommand::Action::list:
      return list_alerts(global, config);
    case AlertCommand::Action::silence:
      return silence_alerts(global, command, config);
    case AlertCommand::Action::test:
      break;
  }
  return test_channels(global, command, config);
}

}  // namespace nolapse
