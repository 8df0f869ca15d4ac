// The world as it is: everything in world.h on one Linux machine, ready for use.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

class RealWorld {
 public:
  struct Options {
    std::string state_directory;  // absolute
    std::string resolver;         // "ADDRESS:PORT"; empty: the system's
  };

  explicit RealWorld(Options options);
  // What is under way is dropped: no completion is called, child processes are killed.
  ~RealWorld();
  RealWorld(const RealWorld&) = delete;
  RealWorld& operator=(const RealWorld&) = delete;

  World world();
  // Runs the loop until the predicate, asked after each turn, holds.
  void run_until(const std::function<bool()>& finished);
  // For signal handling and the like: makes `run_until` return although the predicate does not.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace nolapse
