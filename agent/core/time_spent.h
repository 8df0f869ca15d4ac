// Where the time of a run went, for somebody who waits for it in the middle of an incident. At each
// moment a certificate is in one phase; entering one ends the one before, so that together they are
// the whole.
#pragma once

#include <array>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

class TimeSpent {
 public:
  enum class Phase {
    nolapse,       // its own work: the state directory, keys
    ca,            // requests to the CA under way
    waiting,       // before the CA is asked again
    proof,         // control is being proved: presented, and looked for as the CA will
    hooks,         // targets are being worked on
    verification,  // endpoints are asked until they show it
  };
  static constexpr std::size_t phases = 6;

  explicit TimeSpent(const Clock& clock) : clock_(&clock), since_(clock.uptime()) {}

  void enter(Phase phase) {
    const auto now = clock_->uptime();
    spent_[static_cast<std::size_t>(phase_)] += now - since_;
    phase_ = phase;
    since_ = now;
  }
  Duration in(Phase phase) const { return spent_[static_cast<std::size_t>(phase)]; }

  // "0.41s CA, 0.03s nolapse": those that took at least 5 ms.
  std::string text() const;
  static const char* name_of(Phase phase);  // "ca"

 private:
  const Clock* clock_;
  Phase phase_ = Phase::nolapse;
  std::chrono::milliseconds since_;
  std::array<Duration, phases> spent_{};
};

}  // namespace nolapse
