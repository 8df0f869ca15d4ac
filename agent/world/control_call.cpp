// The client's side of the control socket. The answer is bounded: a command of root may be talking
// to a daemon of another user. It goes through the loop and not through blocking calls, so that
// Ctrl-C is an event here as everywhere.
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>

#include "agent/world/control_socket.h"
#include "agent/world/system_error.h"
#include "agent/world/unique_fd.h"
#include "agent/world/unix_address.h"

namespace nolapse {
namespace {

constexpr std::size_t longest_line = 64 << 20;
// Between two attempts to get into the queue of a daemon that lets nobody in.
constexpr Duration pause_before_full_queue = std::chrono::milliseconds(50);

Error no_daemon(const std::string& path, const std::string& why) {
  return {ErrorKind::local,
          "NO_DAEMON",
          "no nolapse daemon answers on " + path + ": " + why + "; start it if there should be one",
          {},
          {}};
}

Error connect_error(int cause, const std::string& path) {
  if (cause == ENOENT) return no_daemon(path, "there is no such socket");
  if (cause == ECONNREFUSED) return no_daemon(path, "nobody listens there");
  if (cause == EACCES || cause == EPERM) {
    return {ErrorKind::local,
            "PERMISSION_DENIED",
            "you may not talk to the nolapse daemon on " + path +
                "; run this as root or as a member of the socket's group",
            {},
            {}};
  }
  return file_error(cause, "cannot talk to the nolapse daemon on " + path);
}

class Call {
 public:
  Call(EventLoop& loop, const std::string& path, const std::string& line,
       const std::function<void(const std::string&)>& on_line)
      : loop_(loop), path_(path), output_(line + "\n"), on_line_(on_line) {}
  ~Call() {
    loop_.cancel_timer(patience_);
    loop_.cancel_timer(pause_);
    if (fd_) loop_.unwatch(fd_.get());
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Result<void> run(Duration patience) {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return fail(file_error(errno, "cannot talk to the nolapse daemon on " + path_));
    if (patience > Duration::zero()) {
      patience_ = loop_.start_timer(patience, [this] {
        end(ErrorKind::transient, "DAEMON_SILENT",
            "the daemon on " + path_ +
                " accepts commands but does not answer; restart it if that goes on");
      });
    }
    connect();
    loop_.run_until([this] { return result_.has_value(); });
    if (result_) return *result_;
    return fail(ErrorKind::transient, "CALL_STOPPED", "the call to the daemon was broken off");
  }

 private:
  void end(Result<void> result) { result_ = std::move(result); }
  void end(ErrorKind kind, std::string code, std::string message) {
    end(fail(kind, std::move(code), std::move(message)));
  }
  void cut_off() {
    end(ErrorKind::transient, "NO_ANSWER",
        "the daemon on " + path_ +
            " ended the connection before its answer was complete; see its log and try again");
  }

  void connect() {
    const auto address = UnixAddress::parse(path_);
    if (!address) return end(fail(no_daemon(path_, "that path cannot be a socket's")));
    if (::connect(fd_.get(), address->get(), address->size()) == 0) return watch();
    if (errno != EAGAIN) return end(fail(connect_error(errno, path_)));
    pause_ = loop_.start_timer(pause_before_full_queue, [this] { connect(); });
  }

  void watch() {
    const unsigned conditions =
        EventLoop::readable | (sent_ < output_.size() ? EventLoop::writable : 0U);
    loop_.watch(fd_.get(), conditions, [this](unsigned ready) {
      if ((ready & EventLoop::writable) != 0 && sent_ < output_.size()) send();
      if ((ready & EventLoop::readable) != 0) receive();
    });
  }

  // When the daemon has closed already, its reason may be there to be read.
  void send() {
    const ssize_t count =
        ::send(fd_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    sent_ = count < 0 ? output_.size() : sent_ + static_cast<std::size_t>(count);
    if (sent_ == output_.size()) watch();
  }

  void receive() {
    std::array<char, 16384> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) return answered_ && input_.empty() ? end(Result<void>()) : cut_off();
    const std::size_t searched = input_.size();
    input_.append(buffer.data(), static_cast<std::size_t>(count));
    take_lines(searched);
    if (input_.size() > longest_line) cut_off();
  }

  void take_lines(std::size_t searched) {
    std::size_t begin = 0;
    for (auto line_end = input_.find('\n', searched); line_end != std::string::npos;
         line_end = input_.find('\n', begin)) {
      if (!answered_) loop_.cancel_timer(patience_);
      answered_ = true;
      on_line_(input_.substr(begin, line_end - begin));
      begin = line_end + 1;
    }
    input_.erase(0, begin);
  }

  EventLoop& loop_;
  const std::string& path_;
  const std::string output_;
  std::size_t sent_ = 0;  // octets of output_
  const std::function<void(const std::string&)>& on_line_;
  UniqueFd fd_;
  std::string input_;
  bool answered_ = false;  // a whole line has come
  Clock::TimerId patience_ = 0;
  Clock::TimerId pause_ = 0;
  std::optional<Result<void>> result_;
};

}  // namespace

Result<void> control_call(EventLoop& loop, const std::string& path, const std::string& line,
                          const std::function<void(const std::string&)>& on_line,
                          Duration patience) {
  return Call(loop, path, line, on_line).run(patience);
}

}  // namespace nolapse
