#include "agent/core/deployment.h"

#include <algorithm>
#include <array>

#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

namespace {

TargetDue due_of(const World& world, const Store& store, const CertificateSpec& spec,
                 const DeployTarget& target, const DeploymentRecord* record, unsigned generation,
                 const DeploymentWish& wish) {
  TargetInput input{target, record, generation, wish.again, wish.patience, world.clock.now()};
  if (target.window) {
    input.utc_offset = world.clock.utc_offset(input.now);
    const unsigned there = record == nullptr ? 0 : generation_at(*record);
    const auto has = there == 0 ? Result<Generation>(fail(ErrorKind::local, "NONE", ""))
                                : store.load_generation(spec.name, there);
    if (has) input.little_is_left_from = little_is_left_from(has->leaf());
  }
  return target_due(input);
}

bool is_wanted(const DeployTarget& target, const DeploymentWish& wish) {
  return wish.target.empty() || wish.target == target.name || wish.target == target.section;
}

Duration pause_before(int probe) {
  constexpr std::array<Duration, 5> pauses = {100ms, 200ms, 400ms, 800ms, 1600ms};
  return pauses[std::min<std::size_t>(static_cast<std::size_t>(probe), pauses.size() - 1)];
}

bool all_ok(const std::vector<EndpointState>& endpoints) {
  return std::all_of(endpoints.begin(), endpoints.end(),
                     [](const EndpointState& state) { return state.ok(); });
}

}  // namespace

std::string issuer_roots(const Config& config, const Generation* generation) {
  if (generation == nullptr) return {};
  const CaConfig* ca = config.find_issuer(generation->ca, generation->ca_directory);
  return ca == nullptr ? std::string() : ca->issuer_roots_file;
}

bool deployment_is_due(const World& world, const Store& store, const Config& config,
                       const CertificateSpec& spec, unsigned generation,
                       const DeploymentWish& wish) {
  const auto records = store.load_deployments(spec.name);
  return std::any_of(spec.deploy.begin(), spec.deploy.end(), [&](const std::string& name) {
    const auto target = config.targets.find(name);
    if (target == config.targets.end() || !is_wanted(target->second, wish)) return false;
    if (!records) return true;
    const auto record = records->find(name);
    const DeploymentRecord* const known = record == records->end() ? nullptr : &record->second;
    return due_of(world, store, spec, target->second, known, generation, wish).when ==
           TargetDue::When::now;
  });
}

Deployment::Deployment(World world, const Store& store, EventStream& events, TargetTurns& turns,
                       const Config& config, const CertificateSpec& spec, Generation generation,
                       DeploymentWish wish)
    : world_(world),
      store_(store),
      events_(events),
      turns_(turns),
      config_(config),
      spec_(spec),
      generation_(std::move(generation)),
      wish_(std::move(wish)),
      journal_(world, store, events, spec.name) {}

void Deployment::start(std::function<void(DeploymentOutcome)> done) {
  done_ = std::move(done);
  probing_began_ = world_.clock.uptime();
  journal_.load();
  journal_.keep_only(spec_.deploy);
  const auto& records = journal_.records();
  const bool left_unjudged = std::any_of(records.begin(), records.end(), [](const auto& entry) {
    return was_left_unjudged(entry.second);
  });
  choose_targets();
  // Where nobody deploys, whoever reads live/ needs it now.
  if (spec_.deploy.empty()) {
    return journal_.save(store_.switch_live(spec_.name, generation_.number), [this] { verify(); });
  }
  if (deployments_.empty()) {
    // Until its window opens a target serves what it served.
    return journal_.save({}, [this] { window_closed_ ? end() : verify(); });
  }
  probe(generation_, [this, left_unjudged](std::vector<EndpointState> endpoints) {
    before_ = std::move(endpoints);
    for (EndpointState& state : before_) {
      if (left_unjudged) state.service = Service::good;
    }
    deploy_own();
  });
}

void Deployment::choose_targets() {
  std::optional<Time> opens;
  for (const std::string& name : spec_.deploy) {
    const auto target = config_.targets.find(name);
    if (target == config_.targets.end() || !is_wanted(target->second, wish_)) continue;
    const DeploymentRecord* const record = journal_.find(name);
    const TargetDue due =
        due_of(world_, store_, spec_, target->second, record, generation_.number, wish_);
    if (due.when == TargetDue::When::now) {
      deployments_.push_back(std::make_unique<TargetDeployment>(world_, store_, events_, turns_,
                                                                journal_, spec_, target->second));
    } else if (due.for_window) {
      journal_.record(name).next_attempt = due.at;
      if (opens && *opens <= due.at) continue;
      opens = due.at;
      window_closed_ = Error{
          ErrorKind::deferred,
          "WINDOW_CLOSED",
          "generation " + std::to_string(generation_.number) + " goes to target " + name +
              " when its window " + format_window(*target->second.window) + " opens, on " +
              acme::format_rfc3339(due.at) + " (`nolapse deploy " + spec_.name + "` does not wait)",
          {},
          {}};
    }
  }
}

// ---- the targets

void Deployment::deploy_own() {
  deploy(false, [this] { deploy_foreign(); });
}

// Hooks of other clients read live/ and run after it has moved. Where our own targets failed, they
// are not told of a certificate that is perhaps no good.
void Deployment::deploy_foreign() {
  const bool any = std::any_of(deployments_.begin(), deployments_.end(), [](const auto& each) {
    return each->target().kind != HookKind::nolapse;
  });
  probing_began_ = world_.clock.uptime();
  if (!any) return verify();
  journal_.save(store_.switch_live(spec_.name, generation_.number), [this] {
    deploy(true, [this] {
      probing_began_ = world_.clock.uptime();
      verify();
    });
  });
}

void Deployment::deploy(bool foreign, std::function<void()> then) {
  open_ = 1;
  enter(TimeSpent::Phase::hooks);
  const auto ended = [this, then = std::move(then)] {
    if (--open_ == 0) then();
  };
  for (const auto& deployment : deployments_) {
    if ((deployment->target().kind != HookKind::nolapse) != foreign) continue;
    ++open_;
    deployment->deploy(generation_,
                       [this, ended, target = &deployment->target()](const std::optional<Error>&) {
                         journal_.record(target->name).withdrawn = wish_.withdrawn;
                         ended();
                       });
  }
  ended();
}

// ---- what is served

void Deployment::probe(const Generation& generation,
                       std::function<void(std::vector<EndpointState>)> done) {
  enter(TimeSpent::Phase::verification);
  VerificationRequest request = verification_of(spec_);
  request.expected = expected_leaf(generation.leaf());
  request.roots_file = issuer_roots(config_, &generation);
  verify_endpoints(world_, std::move(request), std::move(done));
}

void Deployment::verify() {
  probe(generation_,
        [this](std::vector<EndpointState> endpoints) { verified(std::move(endpoints)); });
}

bool Deployment::has_generation(const DeploymentRecord& record) const {
  return record.generation == generation_.number &&
         (record.stage == DeploymentStage::reloaded || record.stage == DeploymentStage::verified);
}

// Nothing to wait for where nothing was reloaded.
bool Deployment::may_still_change(const std::string& worse,
                                  const std::vector<EndpointState>& endpoints) const {
  const Duration waited = world_.clock.uptime() - probing_began_;
  if (!worse.empty()) return waited < recovery_limit;
  const Duration limit = may_change(before_, endpoints) ? verification_limit : recovery_limit;
  const auto& records = journal_.records();
  const bool reloaded = std::any_of(records.begin(), records.end(), [this](const auto& entry) {
    return has_generation(entry.second);
  });
  return reloaded && !journal_.first_error() && !window_closed_ && waited < limit;
}

void Deployment::verified(std::vector<EndpointState> endpoints) {
  const std::string worse = made_worse(before_, endpoints);
  if (!all_ok(endpoints) && may_still_change(worse, endpoints)) {
    world_.clock.start_timer(pause_before(probes_++), [this] { verify(); });
    return;
  }
  endpoints_ = std::move(endpoints);
  if (!worse.empty()) return roll_back(worse);
  for (const auto& deployment : deployments_) {
    journal_.record(deployment->target().name).judged = true;
  }
  if (!all_ok(endpoints_)) return mark_unverified();
  mark_verified();
}

void Deployment::mark_verified() {
  const bool seen = !endpoints_.empty();
  for (const auto& [target, known] : journal_.records()) {
    if (!has_generation(known)) continue;
    DeploymentRecord& record = journal_.record(target);
    if (seen) record.stage = DeploymentStage::verified;
    record.judged = true;
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

// What cannot be reached from here says nothing about a target: it has what it was to have, and is
// looked at again instead of being reloaded for as long as another server is down.
void Deployment::mark_unverified() {
  const auto is_bad = [](const EndpointState& state) { return !state.ok(); };
  const auto is_seen_bad = [](const EndpointState& state) {
    return !state.ok() && state.verdict != Verdict::unreachable;
  };
  auto bad = std::find_if(endpoints_.begin(), endpoints_.end(), is_seen_bad);
  const bool worse = bad != endpoints_.end();
  if (!worse) bad = std::find_if(endpoints_.begin(), endpoints_.end(), is_bad);
  const std::string where =
      bad->address.empty() ? bad->endpoint : bad->endpoint + " (" + bad->address + ")";
  const char* const code = worse ? "NOT_SERVED" : "ENDPOINT_UNREACHABLE";
  Error error{ErrorKind::transient, code, where + ": " + bad->detail, {}, {}};
  const Time now = world_.clock.now();
  for (const auto& [target, known] : journal_.records()) {
    if (known.stage != DeploymentStage::reloaded || known.generation != generation_.number) {
      continue;
    }
    DeploymentRecord& record = journal_.record(target);
    record.judged = true;
    if (window_closed_) continue;
    record.failures = worse ? record.failures + 1 : 0;
    record.last_error.reset();
    record.next_attempt.reset();
    if (!worse) continue;
    record.last_error = save_error(error, now);
    record.next_attempt = next_deployment(record.failures, now, world_.random.next());
  }
  if (!window_closed_) journal_.note(std::move(error), worse ? Severity::error : Severity::warning);
  const bool seen = std::any_of(endpoints_.begin(), endpoints_.end(),
                                [](const EndpointState& state) { return state.ok(); });
  // Served somewhere and wrong nowhere: what cannot be reached does not hold live/ back.
  if (seen && !worse) return switch_live_then_end();
  journal_.save({}, [this] { end(); });
}

// live/ follows what was seen to work, so that an unrelated restart never loads an untested pair.
void Deployment::switch_live_then_end() {
  const auto& records = journal_.records();
  const bool taken = std::any_of(records.begin(), records.end(), [this](const auto& entry) {
    return has_generation(entry.second);
  });
  const bool there = store_.live_generation(spec_.name) == generation_.number;
  journal_.save(taken && !there ? store_.switch_live(spec_.name, generation_.number) : FileWork{},
                [this] { end(); });
}

void Deployment::end() {
  enter(TimeSpent::Phase::nolapse);
  DeploymentOutcome outcome{journal_.records(), std::move(endpoints_), journal_.first_error()};
  if (!outcome.error) outcome.error = window_closed_;
  // Late, so that the owner may drop this object in the completion.
  world_.clock.start_timer(Duration{0},
                           [done = done_, outcome = std::move(outcome)] { done(outcome); });
}

}  // namespace nolapse
