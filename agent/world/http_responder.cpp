// libmicrohttpd has no thread here: its epoll descriptor is watched by the loop, and its time-out
// becomes a timer. Its inactivity limit alone lets a client stay for ever by sending an octet now
// and then, hence the age limit beside it.
#include "agent/world/http_responder.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <set>

namespace nolapse {
namespace {

constexpr std::string_view challenge_path = "/.well-known/acme-challenge/";
constexpr std::size_t memory_per_connection = 4096;
constexpr std::size_t memory_increment = 1024;

MHD_Result reply(MHD_Connection* connection, unsigned status, const std::string& body) {
  MHD_Response* const response = MHD_create_response_from_buffer(
      body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  // application/octet-stream is what RFC 8555 §8.3 shows, and nobody renders it.
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream");
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

class MicrohttpdResponder::Listener {
 public:
  Listener(EventLoop& loop, const Limits& limits) : loop_(loop), limits_(limits) {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  bool start(UniqueFd socket);
  void put(const std::string& token, const std::string& body) { challenges_[token].body = body; }
  unsigned remove(const std::string& token);
  bool empty() const { return challenges_.empty(); }

 private:
  struct Challenge {
    std::string body;
    unsigned fetches = 0;
  };
  struct Connection {
    Listener* listener = nullptr;
    int fd = -1;
    Clock::TimerId age_timer = 0;
  };

  static MHD_Result answer(void* self, MHD_Connection* connection, const char* url,
                           const char* method, const char* version, const char* upload,
                           std::size_t* upload_size, void** state);
  static void on_connection(void* self, MHD_Connection* connection, void** state,
                            MHD_ConnectionNotificationCode what);
  void advance();

  EventLoop& loop_;
  const Limits limits_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_fd_ = -1;
  Clock::TimerId timer_ = 0;
  bool connection_ended_ = false;  // during the current run
  std::map<std::string, Challenge, std::less<>> challenges_;
};

MicrohttpdResponder::Listener::~Listener() {
  loop_.cancel_timer(timer_);
  if (daemon_ == nullptr) return;
  loop_.unwatch(epoll_fd_);
  // Takes the socket back first: stopping may shut it down, and a passed one is still needed.
  const UniqueFd socket(MHD_quiesce_daemon(daemon_));
  MHD_stop_daemon(daemon_);
}

bool MicrohttpdResponder::Listener::start(UniqueFd socket) {
  const auto silence = std::chrono::duration_cast<std::chrono::seconds>(limits_.silence);
  daemon_ = MHD_start_daemon(MHD_USE_EPOLL, 0, nullptr, nullptr, &Listener::answer, this,  //
                             MHD_OPTION_LISTEN_SOCKET, socket.get(),                       //
                             MHD_OPTION_CONNECTION_LIMIT, limits_.connections,             //
                             MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(silence.count()),
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_per_connection,  //
                             MHD_OPTION_CONNECTION_MEMORY_INCREMENT, memory_increment,   //
                             MHD_OPTION_NOTIFY_CONNECTION, &Listener::on_connection, this,
                             MHD_OPTION_END);
  if (daemon_ == nullptr) return false;
  socket.release();  // the daemon's until it is quiesced
  epoll_fd_ = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  loop_.watch(epoll_fd_, EventLoop::readable, [this](unsigned) { advance(); });
  return true;
}

unsigned MicrohttpdResponder::Listener::remove(const std::string& token) {
  const auto challenge = challenges_.extract(token);
  return challenge.empty() ? 0 : challenge.mapped().fetches;
}

// Run again while its time-out is zero (it has work left that no descriptor will announce), and
// when connections have ended: at the connection limit it stops to listen, and only looks at the
// beginning of a run whether it may go on.
void MicrohttpdResponder::Listener::advance() {
  loop_.cancel_timer(timer_);
  constexpr int most_rounds = 16;  // then the others get their turn
  for (int round = 0; round < most_rounds; ++round) {
    connection_ended_ = false;
    MHD_run(daemon_);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    const bool waits = MHD_get_timeout(daemon_, &wait_ms) == MHD_YES;
    if (connection_ended_ || (waits && wait_ms == 0)) continue;
    if (waits) timer_ = loop_.start_timer(Duration(wait_ms), [this] { advance(); });
    return;
  }
  timer_ = loop_.start_timer(Duration::zero(), [this] { advance(); });
}

MHD_Result MicrohttpdResponder::Listener::answer(void* self, MHD_Connection* connection,
                                                 const char* url, const char* method, const char*,
                                                 const char*, std::size_t*, void**) {
  auto& listener = *static_cast<Listener*>(self);
  const std::string_view verb = method;
  if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD) {
    return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, {});
  }
  std::string_view path = url;
  if (!path.starts_with(challenge_path)) return reply(connection, MHD_HTTP_NOT_FOUND, {});
  path.remove_prefix(challenge_path.size());
  const auto challenge = listener.challenges_.find(path);
  if (challenge == listener.challenges_.end()) return reply(connection, MHD_HTTP_NOT_FOUND, {});
  if (verb == MHD_HTTP_METHOD_GET) ++challenge->second.fetches;
  return reply(connection, MHD_HTTP_OK, challenge->second.body);
}

void MicrohttpdResponder::Listener::on_connection(void* self, MHD_Connection* connection,
                                                  void** state,
                                                  MHD_ConnectionNotificationCode what) {
  auto& listener = *static_cast<Listener*>(self);
  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    const std::unique_ptr<Connection> ended(static_cast<Connection*>(*state));
    if (ended) listener.loop_.cancel_timer(ended->age_timer);
    listener.connection_ended_ = true;
    *state = nullptr;
    return;
  }
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  auto begun = std::make_unique<Connection>();
  const int fd = info->connect_fd;
  // The daemon sees the end of the connection and closes it; the descriptor is still its own.
  begun->age_timer =
      listener.loop_.start_timer(listener.limits_.age, [fd] { ::shutdown(fd, SHUT_RDWR); });
  *state = begun.release();
}

MicrohttpdResponder::MicrohttpdResponder(EventLoop& loop, PassedSockets passed, Limits limits)
    : loop_(loop), passed_(std::move(passed)), limits_(limits) {}

MicrohttpdResponder::~MicrohttpdResponder() = default;

Result<void> MicrohttpdResponder::serve(const std::string& listen, const std::string& token,
                                        const std::string& body) {
  auto& listener = listeners_[listen];
  if (!listener) {
    auto socket = listening_socket(listen, passed_);
    auto fresh = std::make_unique<Listener>(loop_, limits_);
    if (!socket || !fresh->start(std::move(*socket))) {
      listeners_.erase(listen);
      if (!socket) return fail(std::move(socket).error());
      return fail(ErrorKind::local, "LISTEN_FAILED",
                  "cannot listen on " + listen + ": the HTTP responder did not start");
    }
    listener = std::move(fresh);
  }
  listener->put(token, body);
  return {};
}

unsigned MicrohttpdResponder::withdraw(const std::string& listen, const std::string& token) {
  const auto found = listeners_.find(listen);
  if (found == listeners_.end()) return 0;
  const unsigned fetches = found->second->remove(token);
  if (found->second->empty()) listeners_.erase(found);
  return fetches;
}

}  // namespace nolapse
