#include "agent/front/daemon_service.h"

#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/report_output.h"
#include "agent/solvers/solvers.h"
#include "agent/world/memory.h"

namespace nolapse {
namespace {

// The owner and the group of the state directory; who of them may do what is the desk's business.
constexpr unsigned control_mode = 0660;
// After a self-test, until all that it held is gone, and what it brought has been told and saved.
constexpr Duration settling = std::chrono::seconds(10);
// For answers that are on their way when the configuration changes.
constexpr Duration patience_with_readers = std::chrono::seconds(1);

}  // namespace

DaemonService::DaemonService(Config config, Process process)
    : config_(std::move(config)),
      real_(world_options(config_)),
      process_started_(process.started.value_or(real_.loop().now())),
      events_(real_.world().clock),
      daemon_(real_.world(), config_, events_, make_solver),
      status_socket_(std::move(process.status_socket)),
      status_page_(
          real_.loop(), real_.world(), config_, events_, daemon_,
          [this](const std::string& path, std::uint64_t offset, std::size_t size) {
            return real_.read_part(path, offset, size);
          },
          process_started_),
      desk_(real_.world(), config_, events_, daemon_) {
  daemon_.on_self_tested([this] { loop().start_timer(settling, give_back_memory); });
  daemon_.report_with(
      {render_report, [this](const std::string& path, std::uint64_t offset, std::size_t size) {
         return real_.read_part(path, offset, size);
       }});
}

void DaemonService::start(Completion<void> done) {
  status_page_.open(std::move(status_socket_));
  daemon_.start([this, done = std::move(done)](Result<void> started) {
    if (started) {
      started_ = true;
      open_control_socket();
      status_page_.start();
    }
    done(std::move(started));
  });
}

// Only whoever holds the lock comes here, so that the socket of another daemon cannot be in use.
void DaemonService::open_control_socket() {
  auto opened =
      ControlServer::open(real_.loop(), control_path(config_), control_mode, {},
                          [this](const std::shared_ptr<ControlConnection>& connection,
                                 const std::string& line) { desk_.take(connection, line); });
  if (opened) {
    control_server_ = std::move(*opened);
    return;
  }
  events_.emit(Severity::error, {}, opened.error().code,
               opened.error().message + "; until then no command can join this daemon");
}

void DaemonService::stop(Duration patience, std::function<void()> stopped) {
  desk_.refuse_renewals();
  status_page_.stop();
  daemon_.stop(patience, std::move(stopped));
}

UniqueFd DaemonService::give_up_status_socket() {
  UniqueFd socket = status_page_.stop_accepting();
  bool late = false;
  const auto timer = loop().start_timer(patience_with_readers, [&late] { late = true; });
  run_until([&] { return late || !status_page_.has_connections(); });
  loop().cancel_timer(timer);
  return socket;
}

}  // namespace nolapse
