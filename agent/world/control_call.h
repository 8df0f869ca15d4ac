// The client's side of a control socket: one line to a server, the lines of its answer back.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/world/event_loop.h"
#include "agent/world/world.h"

namespace nolapse {

// A call under way. Whoever destroys it gives it up, and hears nothing of it any more.
class ControlCall {
 public:
  using OnLine = std::function<void(const std::string& line)>;

  // Sends `line`, calls `on_line` for each line of the answer (which may not end the call), and
  // `done` when the server closes (which may). A server that has not sent a first line after
  // `patience` is given up (zero: never). Errors: local NO_DAEMON (no socket, or nobody listens on
  // it), PERMISSION_DENIED, FILE_ERROR; transient NO_ANSWER (none, or cut off inside a line),
  // DAEMON_SILENT.
  ControlCall(EventLoop& loop, const std::string& path, const std::string& line, Duration patience,
              OnLine on_line, Completion<void> done);
  ~ControlCall();
  ControlCall(const ControlCall&) = delete;
  ControlCall& operator=(const ControlCall&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For the command line: returns when the call has ended. Runs the loop; stopping that ends the
// call. Errors as above, and transient CALL_STOPPED.
Result<void> control_call(EventLoop& loop, const std::string& path, const std::string& line,
                          const ControlCall::OnLine& on_line, Duration patience = Duration::zero());

}  // namespace nolapse
