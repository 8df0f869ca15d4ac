// The daemon's self-tests: cheap ones every `check_interval`, deep ones every
// `deep_check_interval`. What is found is kept in findings.json, and told when it begins, changes
// or ends: once, however often it is found again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/event_stream.h"
#include "agent/core/finding_document.h"
#include "agent/core/self_test.h"
#include "agent/core/store.h"

namespace nolapse {

class SelfTestWatch {
 public:
  // What holds after each of them, without what is fine.
  using Follow = std::function<void(const std::vector<Finding>&)>;
  using Run = std::function<void(SelfTestRequest, std::function<void(Findings)>)>;

  // The references must outlive it.
  SelfTestWatch(World world, const Config& config, const Store& store, EventStream& events, Run run,
                Follow follow);

  // The first look comes after a moment, when the certificates have been looked at.
  void start();
  void stop() { stopped_ = true; }
  // A person had deep checks run, of these certificates, or of all where `names` is empty: what
  // they found counts like what its own would have.
  void take_up(const Findings& findings, const std::vector<std::string>& names);
  // What its own tests found last.
  const std::vector<Finding>& known() const { return saved_.findings; }
  const SavedFindings& saved() const { return saved_; }
  // When one of this process ended last, by uptime.
  std::optional<std::chrono::milliseconds> ended_at() const { return ended_at_; }

 private:
  void sleep();
  void wake();
  void found(const Findings& findings);
  void hold(std::vector<Finding> now);

  World world_;
  const Config& config_;
  const Store& store_;
  EventStream& events_;
  Run run_;
  Follow follow_;
  SavedFindings saved_;
  std::optional<std::chrono::milliseconds> ended_at_;
  bool stopped_ = false;
};

// What holds after a self-test: what it found, and what was found before where it did not look (of
// the deep checks, where it was not deep) or could not.
std::vector<Finding> findings_after(const Findings& found, const std::vector<Finding>& before);

// Two intervals, and what a self-test takes: longer than that none has ended. Or the clock that
// noted it was wrong.
bool is_outdated(Time ended, Duration interval, Time now);

// Who looks cheaply is told what the daemon's deep self-test found, too: else a port that is taken
// shows as well for weeks to a monitoring system that never looks deeply.
struct DeepView {
  const Config& config;
  const std::vector<std::string>& names;  // that were looked at; empty: all
  // When there should have been one at the latest; nothing: no daemon runs here, none is expected.
  std::optional<Time> expected_since = {};
};
// Adds what is open to `found`, and SELF_TEST_OLD where nobody knows.
void take_over_deep(Findings& found, const Result<SavedFindings>& saved, const DeepView& view);

}  // namespace nolapse
