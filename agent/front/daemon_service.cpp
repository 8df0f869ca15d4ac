#include "agent/front/daemon_service.h"

#include "agent/front/commands.h"
#include "agent/front/join_daemon.h"
#include "agent/front/report_output.h"
#include "agent/solvers/solvers.h"

namespace nolapse {
namespace {

// The owner and the group of the state directory; who of them may do what is the desk's business.
constexpr unsigned control_mode = 0660;

}  // namespace

DaemonService::DaemonService(Config config)
    : config_(std::move(config)),
      real_(world_options(config_)),
      events_(real_.world().clock),
      daemon_(real_.world(), config_, events_, make_solver),
      desk_(real_.world(), config_, events_, daemon_) {
  daemon_.report_with(
      {render_report, [this](const std::string& path, std::uint64_t offset, std::size_t size) {
         return real_.read_part(path, offset, size);
       }});
}

void DaemonService::start(Completion<void> done) {
  daemon_.start([this, done = std::move(done)](Result<void> started) {
    if (started) {
      started_ = true;
      open_control_socket();
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
  daemon_.stop(patience, std::move(stopped));
}

}  // namespace nolapse
