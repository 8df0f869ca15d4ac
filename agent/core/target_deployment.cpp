#include "agent/core/target_deployment.h"

#include "agent/core/deployment_rules.h"
#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

TargetDeployment::TargetDeployment(World world, const Store& store, EventStream& events,
                                   TargetTurns& turns, DeploymentJournal& journal,
                                   const CertificateSpec& spec, const DeployTarget& target)
    : world_(world),
      store_(store),
      events_(events),
      turns_(turns),
      journal_(journal),
      spec_(spec),
      target_(target) {}

void TargetDeployment::run_verb(const std::string& verb, Completion<HookOutcome> done) {
  events_.emit(
      Severity::info, spec_.name, "HOOK_STARTED",
      "generation " + std::to_string(generation_->number) + " to " + target_.name + ": " + verb);
  run_hook(world_, {target_, verb, spec_, *generation_, store_.live_path(spec_.name)},
           std::move(done));
}

Error TargetDeployment::unsupported(const std::string& verb) const {
  return {ErrorKind::input,
          "HOOK_CANNOT_INSTALL",
          "target " + target_.name + ": " + target_.hook + " does not support the verb " + verb,
          {},
          {}};
}

// ---- forward

void TargetDeployment::deploy(const Generation& generation, Done done) {
  generation_ = &generation;
  done_ = std::move(done);
  turns_.enter(target_, [this] {
    if (is_foreign()) return run_foreign();
    record() = begin_deployment(journal_.find(target_.name), generation_->number);
    journal_.save({}, [this] { install(); });
  });
}

void TargetDeployment::install() {
  run_verb("install", [this](Result<HookOutcome> outcome) { installed(std::move(outcome)); });
}

void TargetDeployment::installed(Result<HookOutcome> outcome) {
  if (outcome && !outcome->supported) outcome = fail(unsupported("install"));
  if (!outcome) {
    turns_.leave(target_);
    return end(outcome.error());
  }
  if (back_) return reload();
  record().stage = DeploymentStage::installed;
  journal_.save({}, [this] { reload(); });
}

// Always, even when nothing was changed on disk: a run that ended between install and reload
// leaves new files under a service that has not read them.
void TargetDeployment::reload() {
  turns_.leave_to_reload(
      target_,
      [this](Completion<HookOutcome> reloaded) { run_verb("reload", std::move(reloaded)); },
      [this](const Result<HookOutcome>& outcome) { reloaded(outcome); });
}

void TargetDeployment::reloaded(const Result<HookOutcome>& outcome) {
  if (!outcome && outcome.error().code == "HOOK_TRY_LATER" && ++later_ <= later_limit) {
    // Another certificate of this run may be what the service waits for: let it have its turn.
    world_.clock.start_timer(500ms * later_,
                             [this] { turns_.enter(target_, [this] { reload(); }); });
    return;
  }
  if (!outcome) return end(outcome.error());
  if (back_) return end({});
  record().stage = DeploymentStage::reloaded;
  journal_.save(store_.record_deployed(spec_.name, target_.name, generation_->number),
                [this] { end({}); });
}

// A hook of another client does all in one.
void TargetDeployment::run_foreign() {
  record() = begin_deployment(journal_.find(target_.name), generation_->number);
  journal_.save({}, [this] {
    run_verb(run_once, [this](const Result<HookOutcome>& outcome) {
      turns_.leave(target_);
      if (!outcome) return end(outcome.error());
      reloaded(outcome);
    });
  });
}

// ---- back

void TargetDeployment::go_back_to(const Generation& generation, Done done) {
  generation_ = &generation;
  back_ = true;
  later_ = 0;
  done_ = std::move(done);
  turns_.enter(target_, [this] {
    run_verb(is_foreign() ? run_once : "rollback", [this](const Result<HookOutcome>& outcome) {
      if (outcome && !outcome->supported) return install();
      turns_.leave(target_);
      if (!outcome) return end(outcome.error());
      end({});
    });
  });
}

// ---- the end

void TargetDeployment::end(std::optional<Error> error) {
  if (error && !back_) {
    DeploymentRecord& failed = record();
    failed.stage = DeploymentStage::failed;
    ++failed.failures;
    failed.last_error = save_error(*error, world_.clock.now());
    failed.next_attempt =
        next_deployment(failed.failures, world_.clock.now(), world_.random.next());
    journal_.note(*error);
    return journal_.save({}, [this, error] { done_(error); });
  }
  if (error) journal_.note(*error);
  done_(error);
}

}  // namespace nolapse
