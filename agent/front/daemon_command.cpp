// `nolapse daemon`: the process around the daemon. Signals, the service manager and the change from
// one configuration to the next are its business; what happens under one configuration is that of
// DaemonService. [sd_notify(3), systemd.service(5): Type=notify-reload]
//
//   SIGTERM, SIGINT   stop: what is under way has ten seconds to end; the rest is gone on with by
//                     the next start
//   SIGHUP            read the configuration again. Is it broken, the old one stays in force. Is
//                     it good, what is under way ends first, however long that takes
#include <csignal>

#include "agent/front/commands.h"
#include "agent/front/daemon_service.h"
#include "agent/front/exit_status.h"
#include "agent/front/log.h"
#include "agent/world/service_manager.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

constexpr Duration patience_to_stop = std::chrono::seconds(10);
// A hook and an order end long before; a CA that never answers must not hold a reload up for ever.
constexpr Duration patience_to_reload = std::chrono::minutes(10);
// Many events of one moment are one change of what it is doing.
constexpr Duration status_delay = std::chrono::seconds(1);

class DaemonProcess {
 public:
  DaemonProcess(const GlobalOptions& global, Config config)
      : global_(global),
        log_(open_log(global.verbosity)),
        service_(std::make_unique<DaemonService>(std::move(config), DaemonService::Process{})),
        signals_(service_->loop(), [this](int number) { on_signal(number); }) {
    enter();
  }

  int run();

 private:
  enum class Wish { none, reload, stop };

  void enter();
  Result<void> start();
  void serve();
  void end();
  void take_over(Config config);
  void on_signal(int number);
  void reload();
  void say_state(const char* state);
  void say_status_soon();
  void feed_watchdog();
  void heard(const Result<void>& told);

  const GlobalOptions& global_;
  const EventStream::Reader log_;
  const ServiceManager manager_ = ServiceManager::of_this_process();
  std::unique_ptr<DaemonService> service_;
  SignalWatch signals_;
  Wish wish_ = Wish::none;
  std::optional<Config> next_config_;      // while wish_ is reload
  std::optional<Config> previous_config_;  // worked before the one in force
  bool status_is_due_ = false;
  bool manager_is_deaf_ = false;
};

int DaemonProcess::run() {
  while (true) {
    const Result<void> started = start();
    if (service_->started()) {
      serve();
      end();
    }
    if (wish_ == Wish::stop) return exit_status::ok;
    if (wish_ == Wish::none) {
      if (!previous_config_) return refuse(global_, started.error());
      service_->events().emit(Severity::error, {}, started.error().code,
                              started.error().message + "; going back to the old configuration");
      next_config_ = std::exchange(previous_config_, std::nullopt);
    } else if (service_->started()) {
      previous_config_ = service_->config();
    }
    take_over(*std::exchange(next_config_, std::nullopt));
  }
}

// To be called once for each service: what the process wants of its loop.
void DaemonProcess::enter() {
  service_->events().add_reader(log_);
  service_->events().add_reader([this](const Event&) { say_status_soon(); });
  status_is_due_ = false;
  feed_watchdog();
}

// Also returns, without an error, when a signal is quicker: somebody else may hold the lock for
// long.
Result<void> DaemonProcess::start() {
  std::optional<Result<void>> started;
  service_->start([&started](Result<void> result) { started = std::move(result); });
  service_->run_until([&] { return started || wish_ != Wish::none; });
  return started.value_or(Result<void>());
}

void DaemonProcess::serve() {
  service_->events().emit(Severity::info, {}, "DAEMON_READY",
                          "looking after " + service_->summary());
  say_state("READY=1");
  service_->run_until([this] { return wish_ != Wish::none; });
}

// A stop that is asked for during a reload is not kept waiting.
void DaemonProcess::end() {
  bool stopped = false;
  bool stop_is_late = false;
  bool stop_is_timed = false;
  const auto time_stop = [&] {
    stop_is_timed = true;
    service_->loop().start_timer(patience_to_stop, [&stop_is_late] { stop_is_late = true; });
  };
  service_->stop(patience_to_reload, [&stopped] { stopped = true; });
  service_->run_until([&] {
    if (wish_ == Wish::stop && !stop_is_timed) time_stop();
    return stopped || stop_is_late;
  });
  if (stopped) return;
  service_->events().emit(Severity::warning, {}, "STOPPED_IN_THE_MIDDLE",
                          service_->summary() + "; the next start goes on with it");
}

// The signals move before the old world ends, so that none of them gets lost; nor does anybody who
// connects to the status page.
void DaemonProcess::take_over(Config config) {
  DaemonService::Process process{service_->process_started()};
  if (config.daemon.status_listen == service_->config().daemon.status_listen) {
    process.status_socket = service_->give_up_status_socket();
  }
  auto next = std::make_unique<DaemonService>(std::move(config), std::move(process));
  signals_.move_to(next->loop());
  service_ = std::move(next);
  wish_ = Wish::none;
  enter();
  service_->events().emit(
      Severity::info, {}, "CONFIG_TAKEN_UP",
      "the configuration of " + service_->config().files.front() + " is in force, with " +
          std::to_string(service_->config().certificates.size()) + " certificate(s)");
}

void DaemonProcess::on_signal(int number) {
  if (number == SIGHUP) {
    if (wish_ != Wish::stop) reload();
    return;
  }
  if (wish_ == Wish::stop) return;
  wish_ = Wish::stop;
  service_->events().emit(Severity::info, {}, "STOPPING", "stopping");
  say_state("STOPPING=1");
}

void DaemonProcess::reload() {
  heard(manager_.notify_reloading("reading the configuration"));
  ConfigResult loaded = read_configuration(service_->files(), global_);
  std::vector<std::string> problems;
  for (const ConfigProblem& problem : loaded.problems) problems.push_back(problem.text());
  if (problems.empty()) {
    // Without any certificate: rather a folder that is not there than an operator's wish.
    if (const auto error = unknown_name({}, loaded.config)) problems.push_back(error->message);
  }
  if (problems.empty()) {
    next_config_ = std::move(loaded.config);
    wish_ = Wish::reload;
    return;
  }
  for (const std::string& problem : problems) {
    service_->events().emit(Severity::error, {}, "CONFIG_BROKEN", problem);
  }
  service_->events().emit(Severity::warning, {}, "CONFIG_KEPT",
                          "the changed configuration is broken; the old one stays in force until "
                          "it is corrected and taken up with SIGHUP");
  if (wish_ == Wish::none) say_state("READY=1");
}

// ---- the service manager

void DaemonProcess::heard(const Result<void>& told) {
  const bool news = !told && !manager_is_deaf_;
  manager_is_deaf_ = !told;
  if (!news) return;
  service_->events().emit(Severity::warning, {}, told.error().code, told.error().message);
}

void DaemonProcess::say_state(const char* state) {
  heard(manager_.notify(std::string(state) + "\nSTATUS=" + service_->summary()));
}

void DaemonProcess::say_status_soon() {
  if (status_is_due_ || !service_->started()) return;
  status_is_due_ = true;
  service_->loop().start_timer(status_delay, [this] {
    status_is_due_ = false;
    heard(manager_.notify("STATUS=" + service_->summary()));
  });
}

// From the loop: one that hangs is killed and started anew by the manager.
void DaemonProcess::feed_watchdog() {
  const auto interval = manager_.watchdog_interval();
  if (!interval) return;
  heard(manager_.notify("WATCHDOG=1"));
  service_->loop().start_timer(*interval, [this] { feed_watchdog(); });
}

}  // namespace

int run_daemon(const GlobalOptions& global, Config config) {
  if (const auto error = unknown_name({}, config)) return refuse(global, *error);
  return DaemonProcess(global, std::move(config)).run();
}

}  // namespace nolapse
