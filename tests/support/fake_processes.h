// Programs as functions that take a while. What a program does, it does at its end, and that is
// the world's: a hook that was started goes on when the agent is killed, it only has nobody left
// to report to. A power failure ends it before it did anything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_services.h"

namespace nolapse {

struct FakeProgram {
  std::function<ProcessResult(const ProcessSpec&)> main;
  Duration duration = std::chrono::milliseconds(50);
  std::function<bool()> hangs = nullptr;  // asked at the start; nothing: never
};

class FakeProcesses final : public Processes {
 public:
  explicit FakeProcesses(FakeClock& clock) : clock_(clock) {}

  bool may_become(const std::string& user) override { return !hook_service || user.empty(); }
  void run(ProcessSpec spec, Completion<ProcessResult> done) override;
  void find_listener(std::uint16_t port, std::function<void(std::string)> done) override;

  void add(const std::string& path, FakeProgram program) { programs_[path] = std::move(program); }
  void remove(const std::string& path) { programs_.erase(path); }
  void drop_process() { waiting_.clear(); }
  void power_failure();
  std::size_t running() const { return running_.size(); }
  // What was started so far, e.g. "/hooks/nginx install".
  const std::vector<std::string>& started() const { return started_; }
  // Answers the orders for other users, whom this process may not become then.
  std::function<Result<ProcessResult>(const HookOrder&)> hook_service = {};
  std::map<std::uint16_t, std::string> listeners;  // who has a port, for those who may see it
  bool record_started = true;                      // years of a fleet are too many

 private:
  void finish(std::uint64_t id, Duration after, std::function<ProcessResult()> outcome);

  FakeClock& clock_;
  std::map<std::string, FakeProgram> programs_;
  std::map<std::uint64_t, Completion<ProcessResult>> waiting_;
  std::map<std::uint64_t, std::string> running_;
  std::vector<std::string> started_;
  std::uint64_t last_id_ = 0;
};

// A deploy hook for `service`, true to the contract of deploy-hooks: check, rehearse, install,
// reload, rollback; every other verb is not supported (42).
FakeProgram deploy_hook(FakeService& service, const Files& files);

}  // namespace nolapse
