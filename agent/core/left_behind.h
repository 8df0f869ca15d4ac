// Proofs of control that could not be taken away: a disk that refused, a name server that was
// down. They are noted on the disk, and every look at their certificate tries again until they are
// gone, after any end of the process too. Nobody else would ever remove them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/solver.h"
#include "agent/core/store.h"

namespace nolapse {

class LeftBehind {
 public:
  LeftBehind(World world, const Store& store, EventStream& events)
      : world_(world), store_(store), events_(events) {}

  // Reads what ended processes noted. Once, before all else.
  void load();

  // `then` is called when it is on the disk, or when the disk did not take it; then only this
  // process knows.
  void note(const std::string& certificate, const LeftProofs& proofs, std::function<void()> then);

  // Nothing where the challenge is no longer configured: then nobody can take them away.
  using FindSolver = std::function<Solver*(const std::string& challenge)>;
  void try_again(const std::string& certificate, const FindSolver& find,
                 std::function<void()> then);

 private:
  void drop(const std::string& certificate, std::function<void()> then);

  World world_;
  const Store& store_;
  EventStream& events_;
  std::map<std::string, LeftProofs> proofs_;  // by certificate
};

}  // namespace nolapse
