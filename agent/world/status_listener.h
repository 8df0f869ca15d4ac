// The HTTP server of the status page: GET and HEAD, exact paths, read-only. Every reply says that
// it may not be kept, framed, guessed at or run. What the pages are is not known here.
//
// A browser on this host can reach a loopback address for any web site: one whose name is made to
// resolve to it (DNS rebinding) would read the page. So a listener on loopback answers only to
// addresses and to localhost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/world/microhttpd_listener.h"

namespace nolapse {

struct PageReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::shared_ptr<const std::string> body = {};
};
PageReply plain_page(unsigned status, std::string line);  // adds the end of the line

// May a listener on loopback answer to this Host header? [RFC 9110 §7.2]
bool is_host_of_loopback(std::string_view host);

class StatusListener {
 public:
  using Limits = MicrohttpdListener::Limits;
  using Reply = std::function<void(PageReply)>;
  // Called from the loop; answers once, at once or later.
  using Pages = std::function<void(const std::string& path, Reply)>;

  // Browsers have cookies of whatever else is on this host.
  static constexpr Limits usual_limits = {64, std::chrono::seconds(10), std::chrono::minutes(1),
                                          16 << 10};

  // `inherited` listens on this address already; without one, a socket is opened. Errors: local
  // PORT_IN_USE (names the holder where it can be found), PERMISSION_DENIED, LISTEN_FAILED.
  static Result<std::unique_ptr<StatusListener>> open(
      EventLoop& loop, const std::string& listen, UniqueFd inherited, Pages pages,
      const Limits& limits = StatusListener::usual_limits);

  // Accepts nobody any more. The socket, on which others wait, is for whoever comes next.
  UniqueFd stop_accepting() { return http_->stop_accepting(); }
  bool has_connections() const { return http_->connections() > 0; }

 private:
  StatusListener() = default;

  std::unique_ptr<MicrohttpdListener> http_;
};

}  // namespace nolapse
