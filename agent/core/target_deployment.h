// Brings one generation to one target: issued → installed → reloaded, each stage durable before the
// next begins. Also the way back. What is served is not known here, see deployment.h.
#pragma once

#include <functional>
#include <optional>

#include "agent/core/deployment_journal.h"
#include "agent/core/hook.h"
#include "agent/core/target_turns.h"

namespace nolapse {

class TargetDeployment {
 public:
  // After that many answers "try again later" to a reload it has failed.
  static constexpr int later_limit = 3;

  // Calls back with what went wrong, if anything did; the record says how it ended.
  using Done = std::function<void(std::optional<Error>)>;

  // The references must outlive it.
  TargetDeployment(World world, const Store& store, EventStream& events, TargetTurns& turns,
                   DeploymentJournal& journal, const CertificateSpec& spec,
                   const DeployTarget& target);

  const DeployTarget& target() const { return target_; }
  // The hook is another client's.
  bool is_foreign() const { return target_.kind != HookKind::nolapse; }

  void deploy(const Generation& generation, Done done);
  // To a generation that it had before. The record is the caller's.
  void go_back_to(const Generation& generation, Done done);

 private:
  void run_verb(const std::string& verb, Completion<HookOutcome> done);
  void install();
  void installed(Result<HookOutcome> outcome);
  void reload();
  void reloaded(const Result<HookOutcome>& outcome);
  void run_foreign();
  void end(std::optional<Error> error);

  DeploymentRecord& record() { return journal_.record(target_.name); }
  Error unsupported(const std::string& verb) const;

  World world_;
  const Store& store_;
  EventStream& events_;
  TargetTurns& turns_;
  DeploymentJournal& journal_;
  const CertificateSpec& spec_;
  const DeployTarget& target_;
  const Generation* generation_ = nullptr;
  bool back_ = false;
  int later_ = 0;  // how often a hook asked to be tried later
  Done done_;
};

}  // namespace nolapse
