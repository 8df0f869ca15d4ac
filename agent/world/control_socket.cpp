// Nobody may make the loop wait or spin: a turn moves a limited amount for one peer, what a peer
// does not read is bounded in size and in time, and accepting pauses when descriptors have run out.
#include "agent/world/control_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "agent/world/control_listener.h"

namespace nolapse {
namespace {

constexpr std::size_t most_read_per_turn = 4096;
constexpr std::size_t most_sent_per_turn = 256 << 10;
constexpr int most_accepted_per_turn = 16;
constexpr Duration pause_without_descriptors = std::chrono::seconds(1);

class Connection final : public ControlConnection, public std::enable_shared_from_this<Connection> {
 public:
  using Handler = std::shared_ptr<const ControlServer::Handler>;
  using Ended = std::function<void(const std::shared_ptr<Connection>&)>;

  Connection(EventLoop& loop, const ControlLimits& limits, UniqueFd fd, const ControlPeer& peer)
      : loop_(loop), limits_(limits), fd_(std::move(fd)), peer_(peer) {}

  void start(Handler handler, Ended ended) {
    handler_ = std::move(handler);
    ended_ = std::move(ended);
    restart_timer();
    watch();
  }
  void drop();

  const ControlPeer& peer() const override { return peer_; }
  void send_line(const std::string& line) override;
  void close_after_sending() override;
  bool open() const override { return static_cast<bool>(fd_); }

 private:
  std::size_t unsent() const { return output_.size() - sent_; }
  void watch();
  void on_ready(unsigned ready);
  void read();
  void take_lines();
  void flush();
  void stop_timer();
  void restart_timer();

  EventLoop& loop_;
  const ControlLimits limits_;
  UniqueFd fd_;
  const ControlPeer peer_;
  Handler handler_;  // shared: the call may destroy the server
  Ended ended_;

  std::string input_;
  std::string output_;
  std::size_t sent_ = 0;      // octets of output_
  bool reading_ = true;       // until the peer has said all, or is not listened to any more
  bool asked_ = false;        // a whole line has come
  bool closing_ = false;      // once all is sent
  Clock::TimerId timer_ = 0;  // runs before the first request, and while something is unsent
};

// Without a condition only the end of both directions is reported.
void Connection::watch() {
  const unsigned conditions =
      (reading_ ? EventLoop::readable : 0U) | (unsent() > 0 ? EventLoop::writable : 0U);
  loop_.watch(fd_.get(), conditions, [self = weak_from_this()](unsigned ready) {
    if (const auto connection = self.lock()) connection->on_ready(ready);
  });
}

void Connection::on_ready(unsigned ready) {
  if ((ready & EventLoop::writable) != 0 && unsent() > 0) flush();
  if (!open() || (ready & EventLoop::readable) == 0) return;
  if (reading_) {
    read();
  } else {
    drop();  // not asked for, so it is a hang-up
  }
}

void Connection::read() {
  std::array<char, most_read_per_turn> buffer;
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return drop();
  if (count == 0) {
    if (!asked_) return drop();
    reading_ = false;
    return watch();
  }
  input_.append(buffer.data(), static_cast<std::size_t>(count));
  take_lines();
}

void Connection::take_lines() {
  std::size_t begin = 0;
  for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n', begin)) {
    if (end - begin > limits_.line) return drop();
    if (!asked_) stop_timer();
    asked_ = true;
    (*handler_)(shared_from_this(), input_.substr(begin, end - begin));
    if (!open() || !reading_) return;
    begin = end + 1;
  }
  input_.erase(0, begin);
  if (input_.size() > limits_.line) drop();
}

// The limit is tested before the line is added: one long answer is no sign of a peer that sleeps.
void Connection::send_line(const std::string& line) {
  if (!open() || closing_) return;
  if (unsent() > limits_.unsent) return drop();
  output_ += line;
  output_ += '\n';
  flush();
}

void Connection::close_after_sending() {
  if (!open()) return;
  closing_ = true;
  reading_ = false;
  flush();
}

void Connection::flush() {
  const std::size_t sent_before = sent_;
  while (unsent() > 0 && sent_ - sent_before < most_sent_per_turn) {
    const ssize_t count =
        ::send(fd_.get(), output_.data() + sent_, unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return drop();
    sent_ += static_cast<std::size_t>(count);
  }
  if (unsent() == 0) {
    if (closing_) return drop();
    stop_timer();
  } else if (sent_ != sent_before || timer_ == 0) {
    restart_timer();
  }
  if (sent_ > output_.size() / 2) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  watch();
}

void Connection::stop_timer() {
  loop_.cancel_timer(timer_);
  timer_ = 0;
}

void Connection::restart_timer() {
  stop_timer();
  timer_ = loop_.start_timer(limits_.patience, [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->drop();
  });
}

void Connection::drop() {
  if (!open()) return;
  const auto self = shared_from_this();
  stop_timer();
  loop_.unwatch(fd_.get());
  fd_.reset();
  output_.clear();
  sent_ = 0;
  ended_(self);
}

ControlPeer peer_of(int fd) {
  ucred found{};
  socklen_t size = sizeof found;
  ControlPeer peer{static_cast<unsigned>(-1), static_cast<unsigned>(-1), 0};  // nobody
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &size) == 0) {
    peer = {found.uid, found.gid, found.pid};
  }
  return peer;
}

}  // namespace

ControlPeer this_process() {
  return {::geteuid(), ::getegid(), ::getpid()};
}

struct ControlServer::Impl {
  Impl(EventLoop& event_loop, std::unique_ptr<ControlListener> control_listener, Handler on_request,
       const ControlLimits& control_limits)
      : loop(event_loop),
        listener(std::move(control_listener)),
        handler(std::make_shared<const Handler>(std::move(on_request))),
        limits(control_limits) {
    watch();
  }
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void watch() {
    loop.watch(listener->fd(), EventLoop::readable, [this](unsigned) { accept_some(); });
  }
  void accept_some();
  void admit(UniqueFd fd);
  void pause();

  EventLoop& loop;
  std::unique_ptr<ControlListener> listener;
  std::shared_ptr<const Handler> handler;
  const ControlLimits limits;
  std::set<std::shared_ptr<Connection>> connections;
  Clock::TimerId pause_timer = 0;
};

ControlServer::Impl::~Impl() {
  loop.cancel_timer(pause_timer);
  loop.unwatch(listener->fd());
  while (!connections.empty()) (*connections.begin())->drop();
}

void ControlServer::Impl::accept_some() {
  for (int i = 0; i < most_accepted_per_turn; ++i) {
    UniqueFd fd(::accept4(listener->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!fd && errno == EAGAIN) return;
    if (!fd) return pause();
    admit(std::move(fd));
  }
}

// One that is not admitted is closed at once: waiting in the queue would look like a hung daemon.
void ControlServer::Impl::admit(UniqueFd fd) {
  const ControlPeer peer = peer_of(fd.get());
  const bool privileged = peer.user == 0 || peer.user == this_process().user;
  const std::size_t most = limits.connections - (privileged ? 0 : limits.reserved);
  if (connections.size() >= most) return;
  const auto connection = std::make_shared<Connection>(loop, limits, std::move(fd), peer);
  connections.insert(connection);
  connection->start(handler,
                    [this](const std::shared_ptr<Connection>& ended) { connections.erase(ended); });
}

// No descriptor is left for the peer that waits, and the loop would be told so without end.
void ControlServer::Impl::pause() {
  loop.unwatch(listener->fd());
  pause_timer = loop.start_timer(pause_without_descriptors, [this] { watch(); });
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::open(EventLoop& loop, const std::string& path,
                                                           unsigned mode, const std::string& group,
                                                           Handler handler, ControlLimits limits) {
  auto listener = ControlListener::open(path, mode, group);
  if (!listener) return fail(std::move(listener).error());
  auto impl = std::make_unique<Impl>(loop, std::move(*listener), std::move(handler), limits);
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

}  // namespace nolapse
