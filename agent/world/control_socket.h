// The way in for the command line while the daemon holds the lock: a unix stream socket, one JSON
// text per line in both directions. What the lines mean is not known here.
//
// Who may connect is a matter of the socket's mode and group, which the kernel enforces; who asks
// is in `peer()`, also from the kernel. Everything else a peer does is taken as hostile.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/world/event_loop.h"
#include "agent/world/world.h"

namespace nolapse {

// The user that connected. Supplementary groups are not in it: membership was proved by the mode.
struct ControlPeer {
  unsigned user = 0;
  unsigned group = 0;
  int process = 0;  // 0: in another pid namespace
};
ControlPeer this_process();  // as its peers see it

// One peer. It dies when the peer has gone, when we close, or with the server; what is done to a
// dead one has no effect, so that it can be kept for as long as an answer takes.
class ControlConnection {
 public:
  virtual ~ControlConnection() = default;
  virtual const ControlPeer& peer() const = 0;
  // Appends the end of the line. Buffered, never blocks; a peer that does not read is dropped.
  virtual void send_line(const std::string& line) = 0;
  // Nothing that the peer says is listened to from here on.
  virtual void close_after_sending() = 0;
  virtual bool open() const = 0;
};

struct ControlLimits {
  std::size_t line = 64 << 10;   // octets of a request
  std::size_t unsent = 1 << 20;  // octets; the next line to a peer with more than that drops it
  std::size_t connections = 32;  // at the same time
  std::size_t reserved = 8;      // of those, for root and for the user the daemon runs as
  Duration patience = std::chrono::seconds(30);  // for the first request, and for some reading
};

class ControlServer {
 public:
  // Gets each line as it came, without its end; it may be empty and hold any octet. A peer that
  // has closed its writing side still gets answers. Called from the loop; may destroy the server.
  using Handler = std::function<void(std::shared_ptr<ControlConnection>, std::string line)>;

  // `path` is absolute; `mode` and `group` (empty: left as it is) hold before anybody can connect.
  // Run by root, the socket belongs to the owner of its directory. A socket that a dead daemon
  // left is replaced, everything else stays. Errors: held DAEMON_RUNNING; input PATH_TOO_LONG;
  // local FILE_EXISTS, PERMISSION_DENIED, FILE_MISSING, FILE_ERROR.
  static Result<std::unique_ptr<ControlServer>> open(EventLoop& loop, const std::string& path,
                                                     unsigned mode, const std::string& group,
                                                     Handler handler, ControlLimits limits = {});
  // Drops all connections, and removes the socket if it is still its own.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace nolapse
