// The world as it is: everything in world.h on one Linux machine, ready for use.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/world/listen_socket.h"
#include "agent/world/world.h"

namespace nolapse {

class EventLoop;

class RealWorld {
 public:
  struct Options {
    std::string state_directory;  // absolute
    std::string resolver;         // "ADDRESS:PORT"; empty: the system's
    // Absolute, of all http-01 challenges: below them no link is followed, and what root creates
    // there is given to the owner of the webroot.
    std::vector<std::string> webroots{};
    PassedSockets passed_sockets{};  // from the service manager, for the responders
    std::string hook_socket{};       // where the hook service listens; empty: there is none
  };

  explicit RealWorld(Options options);
  // What is under way is dropped: no completion is called, child processes are killed.
  ~RealWorld();
  RealWorld(const RealWorld&) = delete;
  RealWorld& operator=(const RealWorld&) = delete;

  World world();
  // For what is not of the core's world: signals, the control socket.
  EventLoop& loop();
  // As PosixFiles::read_part.
  Result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                std::size_t size) const;
  // Runs the loop until the predicate, asked after each turn, holds.
  void run_until(const std::function<bool()>& finished);
  // Makes `run_until` return although the predicate does not.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace nolapse
