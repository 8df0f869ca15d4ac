// Whose turn it is at a deployment target. Two certificates that share a web server must not
// install and test their files at the same time: one's half-done state would fail the other's test.
// A reload makes all of them take effect, so that those who wait for one share it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/hook.h"

namespace nolapse {

class TargetTurns {
 public:
  // So many installs wait for one reload at most: the first must not wait for ever for the last.
  static constexpr std::size_t longest_batch = 64;

  using Reload = std::function<void(Completion<HookOutcome>)>;

  explicit TargetTurns(Clock& clock) : clock_(clock) {}

  // Calls `turn` later, when everybody before has left, and not more of the section's hosts are
  // worked on than it allows. `target` must outlive all this.
  void enter(const DeployTarget& target, std::function<void()> turn);
  void leave(const DeployTarget& target);
  // Ends the turn, too. When nobody waits to install, the newest `reload` is run for all; each is
  // told how it ended.
  void leave_to_reload(const DeployTarget& target, Reload reload, Completion<HookOutcome> done);

 private:
  struct Place {
    const DeployTarget* target = nullptr;
    bool busy = false;
    std::deque<std::function<void()>> turns;
    Reload reload;
    std::vector<Completion<HookOutcome>> waiting;  // for that reload

    bool has_work() const { return !turns.empty() || !waiting.empty(); }
  };
  struct Section {
    unsigned busy = 0;
    std::deque<std::string> waiting;  // targets with work
  };

  void begin(const std::string& target);
  void work(Place& place);
  void reload(Place& place);
  void end(const DeployTarget& target);

  Clock& clock_;
  std::map<std::string, Place> places_;      // by target
  std::map<std::string, Section> sections_;  // by name
};

}  // namespace nolapse
