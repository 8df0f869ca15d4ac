// `nolapse hooks`: the hook service, in the foreground. It runs as root beside a daemon that does
// not, and listens on a socket for that daemon alone; what an order may be and what becomes of it
// is HookDesk's business.
#include <csignal>

#include "agent/core/config_files.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/hook_desk.h"
#include "agent/front/log.h"
#include "agent/world/child_process.h"
#include "agent/world/posix_files.h"
#include "agent/world/root_owned.h"
#include "agent/world/service_manager.h"
#include "agent/world/signals.h"
#include "agent/world/system_user.h"

namespace nolapse {
namespace {

constexpr Duration patience_to_stop = std::chrono::seconds(10);
constexpr unsigned socket_mode = 0660;

// Whoever runs as the owner of the state directory is to reach the socket.
Result<std::string> group_of_owner(const std::string& state_directory) {
  const auto owner = owner_of(state_directory);
  if (!owner) {
    return fail(ErrorKind::local, "FILE_MISSING",
                "there is no state directory " + state_directory +
                    " whose owner could order hooks; start the daemon first");
  }
  const auto user = find_user(name_of_user(*owner));
  return user ? name_of_group(user->group) : std::string();
}

class HookService {
 public:
  HookService(const GlobalOptions& global, Config config)
      : global_(global), config_(std::move(config)) {
    events_.add_reader(open_log(global.verbosity));
  }

  Result<void> open(const std::string& socket, const std::string& staging);
  void serve();

 private:
  void on_signal(int number);
  void say(const std::string& state);

  const GlobalOptions& global_;
  const Config config_;
  const ServiceManager manager_ = ServiceManager::of_this_process();
  EventLoop loop_;
  SignalWatch signals_{loop_, [this](int number) { on_signal(number); }};
  WorkerPool workers_{loop_};
  PosixFiles files_{workers_, {}};
  std::unique_ptr<StagingArea> staging_;
  ChildProcesses children_{loop_, workers_};
  EventStream events_{loop_};
  std::unique_ptr<HookDesk> desk_;
  std::unique_ptr<ControlServer> server_;
  bool stopping_ = false;
};

Result<void> HookService::open(const std::string& socket, const std::string& staging) {
  for (const std::string& file : config_.files) {
    if (auto owned = check_root_owned(file); !owned) return owned;
  }
  const auto group = group_of_owner(config_.state_directory);
  if (!group) return fail(group.error());
  auto area = StagingArea::open(staging);
  if (!area) return fail(std::move(area).error());
  staging_ = std::move(*area);
  desk_ =
      std::make_unique<HookDesk>(loop_, files_, children_, *staging_, events_, global_, config_);
  ControlLimits limits;
  limits.connections = HookDesk::most_orders + limits.reserved;
  auto server = ControlServer::open(
      loop_, socket, socket_mode, *group,
      [this](const auto& connection, const std::string& line) { desk_->take(connection, line); },
      limits);
  if (!server) return fail(std::move(server).error());
  server_ = std::move(*server);
  return {};
}

// What would be refused is told at the start, and not in the night of the first renewal.
void HookService::serve() {
  std::size_t hooks = 0;
  for (const auto& [name, target] : config_.targets) {
    if (target.user.empty()) continue;
    ++hooks;
    const auto owned = check_root_owned(target.hook);
    if (owned) continue;
    events_.emit(Severity::warning, {}, owned.error().code,
                 "target " + name + " will be refused: " + owned.error().message);
  }
  const std::string summary = std::to_string(hooks) + " target(s) whose hook has a `user`";
  events_.emit(Severity::info, {}, "HOOKS_READY", "serving " + summary);
  say("READY=1\nSTATUS=" + summary);
  loop_.run_until([this] { return stopping_; });
  desk_->refuse_orders();
  say("STOPPING=1");
  bool late = false;
  loop_.start_timer(patience_to_stop, [&late] { late = true; });
  loop_.run_until([&] { return late || desk_->idle(); });
  if (desk_->idle()) return;
  events_.emit(Severity::warning, {}, "STOPPED_IN_THE_MIDDLE",
               "a hook did not end and is killed; the daemon orders it again");
}

void HookService::on_signal(int number) {
  if (number == SIGHUP) {
    events_.emit(Severity::info, {}, "CONFIG_READ_EACH_TIME",
                 "nothing to do: the configuration is read anew for each order");
    return;
  }
  stopping_ = true;
}

void HookService::say(const std::string& state) {
  const auto told = manager_.notify(state);
  if (!told) events_.emit(Severity::warning, {}, told.error().code, told.error().message);
}

}  // namespace

int run_hooks(const GlobalOptions& global, const HooksCommand& command, Config config) {
  if (this_process().user != 0) {
    return refuse(global, usage_error("NOT_ROOT",
                                      "the hook service runs hooks as other users, which only "
                                      "root can; start it as root: systemctl enable --now "
                                      "nolapse-hooks.service"));
  }
  const std::string socket =
      command.socket.empty() ? config.hook_socket : absolute_path(command.socket);
  const std::string staging =
      command.staging.empty() ? directory_of(socket) + "/staging" : absolute_path(command.staging);
  HookService service(global, std::move(config));
  if (const auto opened = service.open(socket, staging); !opened) {
    return refuse(global, opened.error());
  }
  service.serve();
  return exit_status::ok;
}

}  // namespace nolapse
