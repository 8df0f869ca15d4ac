#include "agent/core/deployment.h"

#include <algorithm>
#include <array>

#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

std::string issuer_roots(const Config& config, const Generation* generation) {
  if (generation == nullptr) return {};
  const CaConfig* ca = config.find_ca(generation->ca);
  return ca == nullptr ? std::string() : ca->issuer_roots_file;
}

Deployment::Deployment(World world, const Store& store, EventStream& events, Turns& turns,
                       const Config& config, const CertificateSpec& spec, Generation generation,
                       Targets targets)
    : world_(world),
      store_(store),
      events_(events),
      turns_(turns),
      config_(config),
      spec_(spec),
      generation_(std::move(generation)),
      targets_(targets) {}

void Deployment::start(std::function<void(DeploymentOutcome)> done) {
  done_ = std::move(done);
  auto records = store_.load_deployments(spec_.name);
  if (records) {
    for (const std::string& target : spec_.deploy) {
      const auto found = records->find(target);
      if (found != records->end()) outcome_.records[target] = std::move(found->second);
    }
  } else {
    events_.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                 records.error().message + "; every target is deployed to again");
  }
  // Where nobody deploys, whoever reads live/ needs it now.
  if (spec_.deploy.empty())
    return save(store_.switch_live(spec_.name, generation_.number), [this] { next_target(); });
  next_target();
}

void Deployment::note(Error error) {
  events_.emit(Severity::error, spec_.name, error.code, error.message);
  if (!outcome_.error) outcome_.error = std::move(error);
}

// Saves the records and does `more`. A disk that refuses must not keep a good certificate from
// being served: it is reported, and the deployment goes on.
void Deployment::save(FileWork more, std::function<void()> then) {
  FileWork work = store_.save_deployments(spec_.name, outcome_.records);
  for (FileOperation& operation : more) work.push_back(std::move(operation));
  world_.files.run(std::move(work), [this, then = std::move(then)](Result<void> saved) {
    if (!saved) note(saved.error());
    then();
  });
}

void Deployment::count_failure(DeploymentRecord& record, const Error& error) {
  const Time now = world_.clock.now();
  ++record.failures;
  record.last_error = save_error(error, now);
  record.next_attempt = next_deployment(record.failures, now, world_.random.next());
}

// ---- the targets, one after the other

void Deployment::next_target() {
  if (next_ == spec_.deploy.size()) {
    verification_began_ = world_.clock.uptime();
    return verify();
  }
  const auto target = config_.targets.find(spec_.deploy[next_]);
  if (target == config_.targets.end() || is_finished(target->first)) {
    ++next_;
    return next_target();
  }
  turns_.enter(target->first, [this, &target = target->second] { install(target); });
}

bool Deployment::is_finished(const std::string& target) const {
  const auto record = outcome_.records.find(target);
  return targets_ == Targets::unfinished && record != outcome_.records.end() &&
         record->second.generation == generation_.number &&
         (record->second.stage == DeploymentStage::reloaded ||
          record->second.stage == DeploymentStage::verified);
}

void Deployment::run_verb(const DeployTarget& target, const std::string& verb,
                          std::function<void(Result<HookOutcome>)> done) {
  events_.emit(
      Severity::info, spec_.name, "HOOK_STARTED",
      "generation " + std::to_string(generation_.number) + " to " + target.name + ": " + verb);
  const HookRun run{target, verb, spec_, generation_};
  world_.processes.run(hook_process(run),
                       [run, done = std::move(done)](Result<ProcessResult> result) {
                         if (!result) {
                           Error error = result.error();
                           error.message = "target " + run.target.name + ": " + error.message;
                           return done(fail(std::move(error)));
                         }
                         done(judge_hook(run, *result));
                       });
}

void Deployment::install(const DeployTarget& target) {
  DeploymentRecord& record = outcome_.records[target.name];
  record.stage = DeploymentStage::issued;
  record.generation = generation_.number;
  save({}, [this, &target] {
    run_verb(target, "install", [this, &target](Result<HookOutcome> outcome) {
      if (!outcome) return leave_target(target, outcome.error());
      if (!outcome->supported) {
        return leave_target(target, Error{ErrorKind::input,
                                          "HOOK_CANNOT_INSTALL",
                                          "target " + target.name + ": " + target.hook +
                                              " does not support the verb install",
                                          {},
                                          {}});
      }
      outcome_.records[target.name].stage = DeploymentStage::installed;
      save({}, [this, &target] { reload(target); });
    });
  });
}

// Always, even when nothing was changed on disk: a run that ended between install and reload
// leaves new files under a service that has not read them.
void Deployment::reload(const DeployTarget& target) {
  run_verb(target, "reload", [this, &target](Result<HookOutcome> outcome) {
    if (outcome) return reloaded(target);
    if (outcome.error().code == "HOOK_TRY_LATER" && ++later_ <= later_limit) {
      return reload_later(target);
    }
    leave_target(target, outcome.error());
  });
}

// Another certificate of this run may be what the service waits for: let it have its turn.
void Deployment::reload_later(const DeployTarget& target) {
  turns_.leave(target.name);
  world_.clock.start_timer(500ms * later_, [this, &target] {
    turns_.enter(target.name, [this, &target] { reload(target); });
  });
}

void Deployment::reloaded(const DeployTarget& target) {
  outcome_.records[target.name].stage = DeploymentStage::reloaded;
  save(store_.record_deployed(spec_.name, target.name, generation_.number),
       [this, &target] { leave_target(target, {}); });
}

void Deployment::leave_target(const DeployTarget& target, std::optional<Error> error) {
  turns_.leave(target.name);
  ++next_;
  if (!error) return next_target();
  DeploymentRecord& record = outcome_.records[target.name];
  record.stage = DeploymentStage::failed;
  count_failure(record, *error);
  note(std::move(*error));
  save({}, [this] { next_target(); });
}

// ---- what is served

void Deployment::verify() {
  VerificationRequest request = verification_of(spec_);
  request.expected = expected_leaf(generation_.leaf());
  request.roots_file = issuer_roots(config_, &generation_);
  verify_endpoints(world_, std::move(request), [this](std::vector<EndpointState> endpoints) {
    verified(std::move(endpoints));
  });
}

void Deployment::verified(std::vector<EndpointState> endpoints) {
  constexpr std::array<Duration, 5> pauses = {100ms, 200ms, 400ms, 800ms, 1600ms};
  const bool all_ok = std::all_of(endpoints.begin(), endpoints.end(),
                                  [](const EndpointState& state) { return state.ok(); });
  const bool time_left = world_.clock.uptime() - verification_began_ < verification_limit;
  // Nothing to wait for where nothing was reloaded.
  const bool may_change = !outcome_.error && !spec_.deploy.empty();
  if (!all_ok && time_left && may_change) {
    const auto index =
        std::min<std::size_t>(static_cast<std::size_t>(probes_++), pauses.size() - 1);
    world_.clock.start_timer(pauses[index], [this] { verify(); });
    return;
  }
  outcome_.endpoints = std::move(endpoints);
  if (!all_ok) return mark_unverified();
  mark_verified();
}

void Deployment::mark_verified() {
  const bool seen = outcome_.verifiable();
  for (auto& [target, record] : outcome_.records) {
    if (record.stage != DeploymentStage::reloaded) continue;
    if (seen) record.stage = DeploymentStage::verified;
    record.failures = 0;
    record.next_attempt.reset();
    record.last_error.reset();
  }
  events_.emit(seen ? Severity::info : Severity::warning, spec_.name,
               seen ? "DEPLOYMENT_VERIFIED" : "DEPLOYMENT_UNVERIFIED",
               seen ? "every endpoint serves generation " + std::to_string(generation_.number)
                    : "no endpoint is known, so nobody can say what is served" +
                          std::string(spec_.endpoints ? "" : "; list some under endpoints"));
  switch_live_then_end();
}

void Deployment::mark_unverified() {
  for (const EndpointState& state : outcome_.endpoints) {
    if (state.ok()) continue;
    const std::string where =
        state.address.empty() ? state.endpoint : state.endpoint + " (" + state.address + ")";
    Error error{ErrorKind::transient, "NOT_SERVED", where + ": " + state.detail, {}, {}};
    for (auto& [target, record] : outcome_.records) {
      if (record.stage != DeploymentStage::reloaded || record.generation != generation_.number)
        continue;
      count_failure(record, error);
    }
    note(std::move(error));
    break;
  }
  const auto& states = outcome_.endpoints;
  const bool worse = std::any_of(states.begin(), states.end(), [](const EndpointState& state) {
    return state.verdict == Verdict::wrong || state.verdict == Verdict::expired;
  });
  const bool seen = std::any_of(states.begin(), states.end(),
                                [](const EndpointState& state) { return state.ok(); });
  // Served somewhere and wrong nowhere: what cannot be reached does not hold live/ back.
  if (seen && !worse) return switch_live_then_end();
  save({}, [this] { end(); });
}

// live/ follows what was seen to work, so that an unrelated restart never loads an untested pair.
void Deployment::switch_live_then_end() {
  const bool taken =
      std::any_of(outcome_.records.begin(), outcome_.records.end(), [this](const auto& entry) {
        return entry.second.generation == generation_.number &&
               entry.second.stage != DeploymentStage::failed;
      });
  const bool there = store_.live_generation(spec_.name) == generation_.number;
  save(taken && !there ? store_.switch_live(spec_.name, generation_.number) : FileWork{},
       [this] { end(); });
}

void Deployment::end() {
  // Late, so that the owner may drop this object in the completion.
  world_.clock.start_timer(Duration{0}, [done = done_, outcome = outcome_] { done(outcome); });
}

}  // namespace nolapse
