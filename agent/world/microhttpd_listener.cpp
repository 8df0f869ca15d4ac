// libmicrohttpd has no thread here: its epoll descriptor is watched by the loop, and its time-out
// becomes a timer. Its inactivity limit alone lets a client stay for ever by sending an octet now
// and then, hence the age limit beside it. A request whose reply takes its time is suspended.
#include "agent/world/microhttpd_listener.h"

#include <microhttpd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace nolapse {
namespace {

constexpr std::size_t memory_increment = 1024;
constexpr std::size_t block = 32 << 10;  // octets of a body that are handed over at once

using Body = std::shared_ptr<const std::string>;

ssize_t read_body(void* body, std::uint64_t position, char* buffer, std::size_t size) {
  const std::string& text = **static_cast<Body*>(body);
  const std::size_t count = std::min<std::size_t>(size, text.size() - position);
  if (count == 0) return MHD_CONTENT_READER_END_OF_STREAM;
  std::memcpy(buffer, text.data() + position, count);
  return static_cast<ssize_t>(count);
}

void free_body(void* body) {
  delete static_cast<Body*>(body);
}

MHD_Response* make_response(const Body& body) {
  if (!body || body->empty()) {
    return MHD_create_response_from_buffer(0, nullptr, MHD_RESPMEM_PERSISTENT);
  }
  auto held = std::make_unique<Body>(body);
  MHD_Response* const response =
      MHD_create_response_from_callback(body->size(), block, &read_body, held.get(), &free_body);
  if (response != nullptr) held.release();  // free_body's from here on
  return response;
}

MHD_Result send_reply(MHD_Connection* connection, const HttpReply& reply) {
  MHD_Response* const response = make_response(reply.body);
  if (response == nullptr) return MHD_NO;
  for (const auto& [name, value] : reply.headers) {
    MHD_add_response_header(response, name, value.c_str());
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result result = MHD_queue_response(connection, reply.status, response);
  MHD_destroy_response(response);
  return result;
}

}  // namespace

struct MicrohttpdListener::Connection {
  Clock::TimerId age_timer = 0;
};

struct MicrohttpdListener::Request {
  MHD_Connection* connection = nullptr;
  bool suspended = false;
  bool answered = false;
  HttpReply reply;
};

struct MicrohttpdListener::Callbacks {
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* path,
                               const char* method, const char*, const char*, std::size_t*,
                               void** state);
  static void on_request_end(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode);
  static void on_connection(void* self, MHD_Connection* connection, void** state,
                            MHD_ConnectionNotificationCode what);
};

MHD_Result MicrohttpdListener::Callbacks::on_request(void* self, MHD_Connection* connection,
                                                     const char* path, const char* method,
                                                     const char*, const char*, std::size_t*,
                                                     void** state) {
  auto& listener = *static_cast<MicrohttpdListener*>(self);
  if (*state == nullptr) {
    auto request = std::make_shared<Request>();
    request->connection = connection;
    *state = new std::shared_ptr<Request>(request);
    const char* const host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    listener.handler_({method, path, host == nullptr ? "" : host},
                      [&listener, weak = std::weak_ptr(request)](HttpReply reply) {
                        // A request that has gone may have taken the listener with it.
                        if (const auto there = weak.lock()) listener.give(*there, std::move(reply));
                      });
    if (!request->answered) {
      request->suspended = true;
      listener.waiting_.insert(request);
      MHD_suspend_connection(connection);
      return MHD_YES;
    }
  }
  return send_reply(connection, (*static_cast<std::shared_ptr<Request>*>(*state))->reply);
}

void MicrohttpdListener::Callbacks::on_request_end(void* self, MHD_Connection*, void** state,
                                                   MHD_RequestTerminationCode) {
  const std::unique_ptr<std::shared_ptr<Request>> ended(
      static_cast<std::shared_ptr<Request>*>(*state));
  *state = nullptr;
  if (ended) static_cast<MicrohttpdListener*>(self)->waiting_.erase(*ended);
}

void MicrohttpdListener::Callbacks::on_connection(void* self, MHD_Connection* connection,
                                                  void** state,
                                                  MHD_ConnectionNotificationCode what) {
  auto& listener = *static_cast<MicrohttpdListener*>(self);
  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    const std::unique_ptr<Connection> ended(static_cast<Connection*>(*state));
    if (ended) listener.loop_.cancel_timer(ended->age_timer);
    listener.connection_ended_ = true;
    --listener.connections_;
    *state = nullptr;
    return;
  }
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  ++listener.connections_;
  auto begun = std::make_unique<Connection>();
  const int fd = info->connect_fd;
  // The daemon sees the end of the connection and closes it; the descriptor is still its own.
  begun->age_timer =
      listener.loop_.start_timer(listener.limits_.age, [fd] { ::shutdown(fd, SHUT_RDWR); });
  *state = begun.release();
}

MicrohttpdListener::MicrohttpdListener(EventLoop& loop, const Limits& limits, Handler handler)
    : loop_(loop), limits_(limits), handler_(std::move(handler)) {}

std::unique_ptr<MicrohttpdListener> MicrohttpdListener::start(EventLoop& loop, UniqueFd listening,
                                                              const Limits& limits,
                                                              Handler handler) {
  std::unique_ptr<MicrohttpdListener> made(
      new MicrohttpdListener(loop, limits, std::move(handler)));
  MicrohttpdListener* const self = made.get();
  const auto silence = std::chrono::duration_cast<std::chrono::seconds>(limits.silence);
  self->daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &Callbacks::on_request, self,
      MHD_OPTION_LISTEN_SOCKET, listening.get(),                              //
      MHD_OPTION_CONNECTION_LIMIT, limits.connections,                        //
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(silence.count()),  //
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.memory,                      //
      MHD_OPTION_CONNECTION_MEMORY_INCREMENT, memory_increment,               //
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::on_request_end, self,          //
      MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::on_connection, self, MHD_OPTION_END);
  if (self->daemon_ == nullptr) return nullptr;
  listening.release();  // the daemon's until it is quiesced
  self->epoll_fd_ = MHD_get_daemon_info(self->daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  loop.watch(self->epoll_fd_, EventLoop::readable, [self](unsigned) { self->advance(); });
  return made;
}

MicrohttpdListener::~MicrohttpdListener() {
  loop_.cancel_timer(timer_);
  if (daemon_ == nullptr) return;
  loop_.unwatch(epoll_fd_);
  // Takes the socket back first: stopping may shut it down, and a passed one is still needed.
  const UniqueFd socket = accepts_ ? stop_accepting() : UniqueFd();
  // A daemon with suspended connections does not stop.
  for (const auto& request : std::exchange(waiting_, {})) {
    request->answered = true;
    request->reply = {MHD_HTTP_SERVICE_UNAVAILABLE};
    MHD_resume_connection(request->connection);
  }
  MHD_stop_daemon(daemon_);
  loop_.cancel_timer(timer_);
}

UniqueFd MicrohttpdListener::stop_accepting() {
  accepts_ = false;
  return UniqueFd(MHD_quiesce_daemon(daemon_));
}

void MicrohttpdListener::give(Request& request, HttpReply reply) {
  if (std::exchange(request.answered, true)) return;
  request.reply = std::move(reply);
  if (!request.suspended) return;
  std::erase_if(waiting_, [&](const auto& each) { return each.get() == &request; });
  MHD_resume_connection(request.connection);
  advance_soon();
}

void MicrohttpdListener::advance_soon() {
  loop_.cancel_timer(timer_);
  timer_ = loop_.start_timer(Duration::zero(), [this] { advance(); });
}

// Run again while its time-out is zero (it has work left that no descriptor will announce), and
// when connections have ended: at the connection limit it stops to listen, and only looks at the
// beginning of a run whether it may go on.
void MicrohttpdListener::advance() {
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
  advance_soon();
}

}  // namespace nolapse
