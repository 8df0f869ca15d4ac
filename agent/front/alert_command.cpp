// `nolapse alert silence` and `test`: quiet for a while, and whether each channel takes a message.
//
//   silence   by the daemon where one runs, because alerts.json is its; else under the lock
//   test      by this process, at once, past queue and back-off; a daemon is told what works, and
//             where none runs it is noted here
#include <algorithm>
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/alert_delivery.h"
#include "agent/core/alert_queue.h"
#include "agent/core/alert_rules.h"
#include "agent/core/check_catalogue.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/join_daemon.h"
#include "agent/front/json_output.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

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

// Where no daemon runs. Another process of nolapse is an error: local LOCKED.
Result<void> change_alerts(RealWorld& real, const Store& store, const std::string& purpose,
                           const std::function<void(AlertState&)>& change) {
  const World world = real.world();
  // Before the first run there is no state directory yet.
  if (auto prepared = run_work(real, store.prepare()); !prepared) return prepared;
  auto lock = world.files.lock(store.lock_path(), purpose);
  if (!lock) return fail(lock.error());
  auto state = store.load_alerts();
  if (!state) {
    if (state.error().code != "BAD_STATE") return fail(state.error());
    std::cerr << acme::printable(damage_in_words(state.error())) << '\n';
    state = AlertState();
  }
  change(*state);
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
  const auto done = change_alerts(real, store, "nolapse alert silence", [&](AlertState& state) {
    set_silence(state, request.silence, now);
  });
  if (!done) return refuse(global, done.error());
  std::cout << silenced_text(request.silence, now, global.json);
  return exit_status::ok;
}

// ---- test

struct Trial {
  const AlertChannel* channel = nullptr;
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

// What waits for a channel that works need not wait for the end of its back-off. False: no daemon
// was told.
bool tell_daemon(RealWorld& real, const GlobalOptions& global, const Config& config,
                 const std::vector<Trial>& trials) {
  ControlRequest request;
  request.command = ControlRequest::Command::channels_work;
  for (const Trial& trial : trials) {
    const bool works = trial.end->taken > 0 && !trial.end->failure && !trial.trouble;
    if (works) request.names.push_back(trial.channel->name);
  }
  return !request.names.empty() && join_daemon(real.loop(), global, config, request).has_value();
}

// So that `nolapse check` knows what was seen to work. Under a daemon alerts.json is its, and it
// knows its channels. One that cannot be written changes nothing about the trials.
void note_trials(RealWorld& real, const Store& store, const std::vector<Trial>& trials) {
  const Time now = real.world().clock.now();
  (void)change_alerts(real, store, "nolapse alert test", [&](AlertState& state) {
    for (const Trial& trial : trials) {
      const std::string& name = trial.channel->name;
      if (trial.end->taken > 0) {
        note_delivered(state, name, trial.trouble.value_or(""), now);
      } else {
        note_failure(state, name, trial.end->failure.value_or("it was refused"), false, {}, now);
      }
    }
  });
}

int test_channels(const GlobalOptions& global, const AlertCommand& command, const Config& config) {
  RealWorld real(world_options(config));
  const World world = real.world();
  std::vector<Trial> trials;
  for (const AlertChannel& channel : config.alerts.channels) {
    if (command.what.empty() || command.what == channel.name)
      trials.emplace_back().channel = &channel;
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
  if (!tell_daemon(real, global, config, trials)) {
    note_trials(real, Store(config.state_directory, world.files), trials);
  }
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
      return run_alert_list(global, config);
    case AlertCommand::Action::silence:
      return silence_alerts(global, command, config);
    case AlertCommand::Action::test:
      break;
  }
  return test_channels(global, command, config);
}

}  // namespace nolapse
