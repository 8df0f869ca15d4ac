// The answer is bounded: a command of root may be talking to a daemon of another user. Everything
// goes through the loop and not through blocking calls, so that Ctrl-C is an event here as
// everywhere.
#include "agent/world/control_call.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>

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

}  // namespace

struct ControlCall::Impl {
  Impl(EventLoop& loop, const std::string& path, const std::string& line, OnLine on_line,
       Completion<void> done)
      : loop_(loop),
        path_(path),
        output_(line + "\n"),
        on_line_(std::move(on_line)),
        done_(std::move(done)) {}
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start(Duration patience) {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd_) return end(fail(file_error(errno, "cannot talk to the nolapse daemon on " + path_)));
    if (patience > Duration::zero()) {
      patience_ = loop_.start_timer(patience, [this] {
        end(ErrorKind::transient, "DAEMON_SILENT",
            "the daemon on " + path_ +
                " accepts commands but does not answer; restart it if that goes on");
      });
    }
    connect();
  }

 private:
  void stop() {
    loop_.cancel_timer(patience_);
    loop_.cancel_timer(pause_);
    loop_.cancel_timer(ended_);
    if (fd_) loop_.unwatch(fd_.get());
    fd_.reset();
  }

  // Later, because it may be known at once, and because `done` may destroy this.
  void end(Result<void> result) {
    stop();
    ended_ = loop_.start_timer(Duration::zero(), [this, result = std::move(result)]() mutable {
      const auto done = std::move(done_);
      done(std::move(result));
    });
  }
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
      if (fd_ && (ready & EventLoop::readable) != 0) receive();
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
  const std::string path_;
  const std::string output_;
  std::size_t sent_ = 0;  // octets of output_
  const OnLine on_line_;
  Completion<void> done_;
  UniqueFd fd_;
  std::string input_;
  bool answered_ = false;  // a whole line has come
  Clock::TimerId patience_ = 0;
  Clock::TimerId pause_ = 0;
  Clock::TimerId ended_ = 0;
};

ControlCall::ControlCall(EventLoop& loop, const std::string& path, const std::string& line,
                         Duration patience, OnLine on_line, Completion<void> done)
    : impl_(std::make_unique<Impl>(loop, path, line, std::move(on_line), std::move(done))) {
  impl_->start(patience);
}

ControlCall::~ControlCall() = default;

Result<void> control_call(EventLoop& loop, const std::string& path, const std::string& line,
                          const ControlCall::OnLine& on_line, Duration patience) {
  std::optional<Result<void>> ended;
  const ControlCall call(loop, path, line, patience, on_line,
                         [&ended](Result<void> result) { ended = std::move(result); });
  loop.run_until([&ended] { return ended.has_value(); });
  if (ended) return *ended;
  return fail(ErrorKind::transient, "CALL_STOPPED", "the call to the daemon was broken off");
}

}  // namespace nolapse
