// `nolapse alert`: what is open, quiet for a while, and whether each channel takes a message.
//
//   list      from alerts.json, whoever may read it
//   silence   for a while, or ended; by the daemon where one runs, because alerts.json is its; else
//   under the lock test      by this process, at once, past queue and back-off
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

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json silence_object(const Silence& silence) {
  return {
      {"what", silence.what}, {"until", acme::format_rfc3339(silence.until)}, {"why", silence.why}};
}

json alert_object(const Alert& alert, const Silence* silence) {
  const Finding& finding = alert.finding;
  json told = json::object();
  for (const auto& [channel, each] : alert.told) told[channel] = acme::format_rfc3339(each.at);
  return {
      {"code", finding.code},
      {"certificate", text_or_null(finding.certificate)},
      {"subject", text_or_null(finding.subject)},
      {"severity", name_of(finding.severity)},
      {"summary", finding.summary},
      {"evidence", finding.evidence},
      {"fix", finding.fix},
      {"raised_at", acme::format_rfc3339(alert.raised_at)},
      {"told_at", time_or_null(alert.told_at())},
      {"told", std::move(told)},
      {"silenced_until", silence != nullptr ? json(acme::format_rfc3339(silence->until)) : json()},
      {"silence", silence != nullptr ? silence_object(*silence) : json()}};
}

std::size_t waiting_for(const AlertState& state, const std::string& channel, bool refused_only) {
  return static_cast<std::size_t>(
      std::count_if(state.queue.begin(), state.queue.end(), [&](const AlertMessage& message) {
        return message.channel == channel && (message.refusals > 0 || !refused_only);
      }));
}

json alerts_document(const AlertState& state, const Config& config, Time now,
                     const std::string& problem) {
  json alerts = json::array();
  for (const Alert& alert : state.open) {
    alerts.push_back(alert_object(alert, silence_of(state, alert.finding, now)));
  }
  json silences = json::array();
  for (const Silence& silence : state.silences) {
    if (silence.until > now) silences.push_back(silence_object(silence));
  }
  json channels = json::array();
  for (const AlertChannel& channel : config.alerts.channels) {
    const auto found = state.channels.find(channel.name);
    const ChannelRecord record = found == state.channels.end() ? ChannelRecord{} : found->second;
    channels.push_back({{"name", channel.name},
                        {"type", channel.type},
                        {"delivered_at", time_or_null(record.delivered_at)},
                        {"failing_since", time_or_null(record.failing_since)},
                        {"error", text_or_null(record.error)},
                        {"remark", text_or_null(record.remark)},
                        {"waiting", waiting_for(state, channel.name, false)},
                        {"refused", waiting_for(state, channel.name, true)}});
  }
  return {{"schema", 1},
          {"problem", text_or_null(problem)},
          {"alerts", std::move(alerts)},
          {"silences", std::move(silences)},
          {"channels", std::move(channels)}};
}

void print_channel(const AlertState& state, const AlertChannel& channel) {
  const auto found = state.channels.find(channel.name);
  const ChannelRecord record = found == state.channels.end() ? ChannelRecord{} : found->second;
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

// A damaged file hides neither the channels nor that it is damaged: the daemon begins a new one.
std::string damage_in_words(const Error& error) {
  return error.message +
         "; what was open and silent is lost, and the daemon tells anew what it "
         "finds";
}

int list_alerts(const GlobalOptions& global, const Config& config) {
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

// ---- silence

// Nothing: it is no time to be silent for. Zero ends a silence.
std::optional<Duration> silent_for(const AlertCommand& command) {
  if (command.duration == "0") return Duration{0};
  const auto duration = acme::parse_duration(command.duration);
  if (!duration || *duration < Duration{0} || *duration > std::chrono::hours(24 * 90)) return {};
  return *duration;
}

// A certificate whose configuration is gone has alerts, too.
bool is_known(const std::string& what, const Config& config, const Store& store) {
  const std::vector<std::string> names = store.names();
  return !unknown_name({what}, config) || find_code_page(what) != nullptr ||
         std::find(names.begin(), names.end(), what) != names.end();
}

std::optional<Error> objection_to(const AlertCommand& command, const Config& config,
                                  const Store& store) {
  const auto duration = silent_for(command);
  if (!duration) {
    return usage_error("BAD_DURATION", "\"" + command.duration +
                                           "\" is no time to be silent for; write --for 24h, at "
                                           "most 90d, or --for 0, which ends a silence");
  }
  if (*duration == Duration{0}) return {};
  if (command.why.empty()) return usage_error("NO_REASON", "say why it is silent: --why TEXT");
  if (is_known(command.what, config, store)) return {};
  return usage_error("UNKNOWN_SUBJECT",
                     "\"" + command.what +
                         "\" is no certificate, configured or left over, and no code; see nolapse "
                         "status and nolapse check --list");
}

Result<void> run_work(RealWorld& real, FileWork work) {
  std::optional<Result<void>> done;
  real.world().files.run(std::move(work), [&](Result<void> outcome) { done = outcome; });
  real.run_until([&] { return done.has_value(); });
  return *done;
}

Result<void> silence_alone(RealWorld& real, const Store& store, const Silence& silence) {
  const World world = real.world();
  // Before the first run there is no state directory yet.
  if (auto prepared = run_work(real, store.prepare()); !prepared) return prepared;
  auto lock = world.files.lock(store.lock_path(), "nolapse alert silence");
  if (!lock) return fail(lock.error());
  auto state = store.load_alerts();
  if (!state) {
    if (state.error().code != "BAD_STATE") return fail(state.error());
    std::cerr << acme::printable(damage_in_words(state.error())) << '\n';
    state = AlertState();
  }
  set_silence(*state, silence, world.clock.now());
  return run_work(real, store.save_alerts(*state));
}

int silence_alerts(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  const Store store(config.state_directory, world.files);
  if (const auto error = objection_to(command, config, store)) return refuse(global, *error);
  const Time now = world.clock.now();
  ControlRequest request;
  request.command = ControlRequest::Command::silence;
  request.silence = {command.what, now + *silent_for(command), command.why};
  request.json = global.json;
  const auto joined = join_daemon(real.loop(), global, config, request);
  if (joined) return *joined;
  if (joined.error().code != "NO_DAEMON") return refuse(global, joined.error());
  const auto done = silence_alone(real, store, request.silence);
  if (!done) return refuse(global, done.error());
  std::cout << silenced_text(request.silence, now, global.json);
  return exit_status::ok;
}

// ---- test

struct Trial {
  const AlertChannel* channel;
  std::optional<std::string> trouble = {};  // of the one message
  std::optional<DeliveryEnd> end = {};
};

bool print_trials(const GlobalOptions& global, const std::vector<Trial>& trials) {
  bool all = true;
  json list = json::array();
  for (const Trial& trial : trials) {
    const bool delivered = trial.end->taken > 0;
    const std::string trouble =
        trial.end->failure ? *trial.end->failure : trial.trouble.value_or("");
    all = all && trouble.empty();
    list.push_back({{"channel", trial.channel->name},
                    {"delivered", delivered},
                    {"error", text_or_null(trouble)}});
    if (global.json) continue;
    std::cout << trial.channel->name << ": ";
    if (delivered && trouble.empty()) {
      std::cout << "delivered\n";
    } else {
      std::cout << (delivered ? "NOT DELIVERED TO ALL: " : "FAILED: ") << acme::printable(trouble)
                << '\n';
    }
  }
  if (global.json) {
    std::cout << acme::dump(json{{"schema", 1}, {"ok", all}, {"channels", list}}, 2) << '\n';
  }
  return all;
}

int test_channels(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  std::vector<Trial> trials;
  for (const AlertChannel& channel : config.alerts.channels) {
    if (command.what.empty() || command.what == channel.name) trials.push_back({&channel});
  }
  if (trials.empty()) {
    return refuse(global, usage_error("UNKNOWN_CHANNEL",
                                      command.what.empty()
                                          ? "there is no [[alerts.channel]] in the configuration"
                                          : "no channel is named \"" + command.what + "\""));
  }
  for (Trial& trial : trials) {
    deliver_alerts(
        world, *trial.channel, {test_message(*trial.channel, world.clock.now())},
        config.alerts.repeat, Store(config.state_directory, world.files).reports_path(),
        [&trial](const AlertReceipt& receipt) {
          if (!receipt.remark.empty()) trial.trouble = receipt.remark;
        },
        [&trial](const DeliveryEnd& end) { trial.end = end; });
  }
  real.run_until([&] {
    return std::all_of(trials.begin(), trials.end(),
                       [](const Trial& trial) { return trial.end.has_value(); });
  });
  return print_trials(global, trials) ? exit_status::ok : exit_status::failed;
}

}  // namespace

std::string silenced_text(const Silence& silence, Time now, bool json_wanted) {
  const bool ended = silence.until <= now;
  if (json_wanted) {
    return acme::dump(json{{"schema", 1},
                           {"silenced", silence.what},
                           {"until", ended ? json() : json(acme::format_rfc3339(silence.until))}},
                      2) +
           "\n";
  }
  if (ended) return silence.what + ": not silent any more\n";
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
