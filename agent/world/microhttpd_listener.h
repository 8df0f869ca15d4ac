// An HTTP server on one port, as the http-01 responder and the status page need it: libmicrohttpd
// parses, because what connects is hostile, and the event loop drives it. What a connection may
// take is bounded in memory, number, silence and age.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/world/event_loop.h"
#include "agent/world/unique_fd.h"

struct MHD_Daemon;

namespace nolapse {

struct HttpQuestion {
  std::string_view method;
  std::string_view path;  // unescaped, without the query
  std::string_view host;  // the header; empty: none was sent
};

struct HttpReply {
  unsigned status = 200;
  std::vector<std::pair<const char*, std::string>> headers = {};
  std::shared_ptr<const std::string> body = {};  // null: empty
};

class MicrohttpdListener {
 public:
  struct Limits {
    unsigned connections = 256;
    Duration silence = std::chrono::seconds(10);  // whole seconds
    Duration age = std::chrono::seconds(20);
    std::size_t memory = 4096;  // octets of a connection: the headers of request and reply
  };
  using Reply = std::function<void(HttpReply)>;
  // Called from the loop for each request, when its headers have come; a body is never read. The
  // reply is given once, at once or later; one that comes too late has no effect.
  using Handler = std::function<void(const HttpQuestion&, Reply)>;

  // Null: libmicrohttpd did not start, and the socket is closed.
  static std::unique_ptr<MicrohttpdListener> start(EventLoop& loop, UniqueFd listening,
                                                   const Limits& limits, Handler handler);
  ~MicrohttpdListener();
  MicrohttpdListener(const MicrohttpdListener&) = delete;
  MicrohttpdListener& operator=(const MicrohttpdListener&) = delete;

  // Gives the socket back, which listens on; connections that are open go on. Once.
  UniqueFd stop_accepting();
  // That are open.
  std::size_t connections() const { return connections_; }

 private:
  struct Connection;
  struct Request;
  // What libmicrohttpd calls, in microhttpd_listener.cpp, where its types are known.
  struct Callbacks;

  MicrohttpdListener(EventLoop& loop, const Limits& limits, Handler handler);
  void advance();
  void advance_soon();
  void give(Request& request, HttpReply reply);

  EventLoop& loop_;
  const Limits limits_;
  const Handler handler_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_fd_ = -1;
  Clock::TimerId timer_ = 0;
  bool connection_ended_ = false;  // during the current run
  bool accepts_ = true;
  std::size_t connections_ = 0;
  std::set<std::shared_ptr<Request>> waiting_;  // suspended until they get their reply
};

}  // namespace nolapse
