#include "agent/front/join_daemon.h"

#include <algorithm>
#include <iostream>

#include "acme/json_read.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/progress.h"
#include "agent/world/control_call.h"
#include "agent/world/signals.h"

namespace nolapse {
namespace {

// A daemon greets within milliseconds; its loop never stalls for long.
constexpr Duration patience = std::chrono::seconds(5);

// The daemon may be another user's than the one at the terminal.
std::string printable_lines(const std::string& text) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    result += acme::printable(text.substr(begin, end - begin), text.size());
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

class Joined {
 public:
  Joined(EventLoop& loop, const GlobalOptions& global, const Config& config,
         const ControlRequest& request)
      : loop_(loop), global_(global), config_(config), request_(request), progress_(loop) {
    progress_.add_reader(open_stderr(loop, global.verbosity));
  }

  Result<int> run() {
    int interrupted = 0;
    const SignalWatch signals(loop_, [&](int number) {
      interrupted = number;
      loop_.stop();
    });
    auto called = control_call(
        loop_, control_path(config_), format_request(request_),
        [this](const std::string& line) { take(line); }, patience);
    if (interrupted != 0) {
      return end_interrupted(global_, interrupted,
                             renews() ? "the daemon goes on with it (see `nolapse status`)"
                                      : "the daemon may do it all the same");
    }
    if (!called) return fail(called.error());
    if (!end_) {
      return fail(ErrorKind::transient, "NO_ANSWER",
                  "the daemon ended the connection without an answer; see its log and try again");
    }
    return finish();
  }

 private:
  bool renews() const {
    const auto command = request_.command;
    return command == ControlRequest::Command::renew ||
           command == ControlRequest::Command::deploy ||
           command == ControlRequest::Command::rollback ||
           command == ControlRequest::Command::rehearse;
  }

  void take(const std::string& line) {
    const auto answer = parse_answer(line);
    if (!answer) return;
    if (const auto* greeting = std::get_if<ControlGreeting>(&*answer)) return greeted(*greeting);
    if (const auto* event = std::get_if<Event>(&*answer)) {
      return progress_.emit(event->severity, acme::printable(event->certificate), event->code,
                            event->message);
    }
    end_ = std::get<ControlEnd>(*answer);
  }

  void greeted(const ControlGreeting& greeting) {
    if (global_.verbosity >= (renews() ? 0 : 1)) {
      std::cerr << "nolapse: joining the daemon (pid " << greeting.process << ")\n";
    }
    for (const CertificateSpec& spec : config_.certificates) {
      const auto& known = greeting.certificates;
      if (std::find(known.begin(), known.end(), spec.name) == known.end()) {
        unknown_to_daemon_.push_back(spec.name);
      }
    }
  }

  // Named explicitly, the daemon itself refuses them. Left out in silence they would look fine.
  int finish() const {
    std::cout << printable_lines(end_->output);
    // That a channel works is told in passing, and may be refused: nobody asked for it.
    const bool in_passing = request_.command == ControlRequest::Command::channels_work;
    if (!end_->error.empty() && !in_passing)
      std::cerr << "nolapse: " << acme::printable(end_->error) << '\n';
    const bool about_accounts = request_.command == ControlRequest::Command::account;
    if (about_accounts || !request_.names.empty() || unknown_to_daemon_.empty()) return end_->exit;
    std::string names;
    for (const std::string& name : unknown_to_daemon_) names += " " + name;
    std::cerr << "nolapse: the daemon does not look after these certificates, it has an older "
                 "configuration in force; run `systemctl reload nolapse` (SIGHUP):"
              << names << '\n';
    return end_->exit == exit_status::ok ? exit_status::undecided : end_->exit;
  }

  EventLoop& loop_;
  const GlobalOptions& global_;
  const Config& config_;
  const ControlRequest& request_;
  EventStream progress_;
  std::vector<std::string> unknown_to_daemon_;
  std::optional<ControlEnd> end_;
};

}  // namespace

std::string control_path(const Config& config) {
  return config.state_directory + "/control";
}

bool nobody_to_join(const Error& error) {
  return error.code == "NO_DAEMON" || error.code == "PERMISSION_DENIED" ||
         error.code == "FILE_ERROR";
}

Result<int> join_daemon(EventLoop& loop, const GlobalOptions& global, const Config& config,
                        const ControlRequest& request) {
  return Joined(loop, global, config, request).run();
}

}  // namespace nolapse
