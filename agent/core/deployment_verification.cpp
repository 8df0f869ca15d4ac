// After the hooks: what is served, whether it is what should be, and what that says of the targets.
#include <algorithm>
#include <array>

#include "agent/core/deployment.h"
#include "agent/core/schedule.h"

namespace nolapse {

using namespace std::chrono_literals;

namespace {

Duration pause_before(int probe) {
  constexpr std::array<Duration, 5> pauses = {100ms, 200ms, 400ms, 800ms, 1600ms};
  return pauses[std::min<std::size_t>(static_cast<std::size_t>(probe), pauses.size() - 1)];
}

}  // namespace

void Deployment::probe(VerificationRequest request,
                       std::function<void(std::vector<EndpointState>)> done) {
  enter(TimeSpent::Phase::verification);
  request.known_places = wish_.known_places;
  // What answered before has to answer now.
  for (const EndpointState& state : before_) request.known_places.push_back(state.endpoint);
  verify_endpoints(world_, std::move(request), std::move(done));
}

// This generation, and what other targets are meant to have meanwhile.
VerificationRequest Deployment::request() const {
  std::vector<Generation> to_serve = {generation_};
  for (const unsigned number :
       generations_to_serve(spec_, config_, journal_.records(), newest(), world_.clock.now())) {
    if (number == generation_.number) continue;
    if (auto other = store_.load_generation(spec_.name, number)) to_serve.push_back(*other);
  }
  return verification_of(config_, spec_, to_serve);
}

void Deployment::verify() {
  probe(request(),
        [this](std::vector<EndpointState> endpoints) { verified(std::move(endpoints)); });
}

Served Deployment::served(const std::vector<EndpointState>& endpoints) const {
  if (endpoints.empty()) return Served::yes;
  const auto left =
      fingerprints_left(store_, config_, spec_, journal_.records(), newest(), world_.clock.now());
  bool seen = false;
  for (const EndpointState& state : endpoints) {
    if (!state.ok() && !is_left(state, left)) return Served::no;
    seen = seen || state.fingerprint_sha256 == generation_.leaf().fingerprint_sha256;
  }
  return seen ? Served::yes : Served::not_seen;
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
  return reloaded && waited < limit;
}

void Deployment::verified(std::vector<EndpointState> endpoints) {
  const std::string worse = made_worse(before_, endpoints);
  const Served how = served(endpoints);
  if ((!worse.empty() || how != Served::yes) && may_still_change(worse, endpoints)) {
    world_.clock.start_timer(pause_before(probes_++), [this] { verify(); });
    return;
  }
  endpoints_ = std::move(endpoints);
  if (!worse.empty()) return roll_back(worse);
  for (const auto& deployment : deployments_) {
    journal_.record(deployment->target().name).judged = true;
  }
  if (how == Served::no) return mark_unverified();
  unverified_ = how == Served::not_seen;
  mark_verified();
}

void Deployment::mark_verified() {
  const bool seen = !endpoints_.empty() && !unverified_;
  for (const auto& [target, known] : journal_.records()) {
    if (!has_generation(known)) continue;
    DeploymentRecord& record = journal_.record(target);
    if (seen) record.stage = DeploymentStage::verified;
    record.judged = true;
    record.failures = 0;
    record.next_attempt.reset();
    record.last_error.reset();
  }
  const std::string number = std::to_string(generation_.number);
  const bool everywhere = std::all_of(endpoints_.begin(), endpoints_.end(), [&](const auto& state) {
    return state.fingerprint_sha256 == generation_.leaf().fingerprint_sha256;
  });
  const std::string text =
      !seen && !endpoints_.empty()
          ? "no endpoint is known that serves generation " + number + "; list one under endpoints"
      : !seen ? "no endpoint is known, so nobody can say what is served" +
                    std::string(spec_.endpoints ? "" : "; list some under endpoints")
      : everywhere
          ? "every endpoint serves generation " + number
          : "generation " + number + " is served, and an older one where a target still has that";
  events_.emit(seen ? Severity::info : Severity::warning, spec_.name,
               seen ? "DEPLOYMENT_VERIFIED" : "DEPLOYMENT_UNVERIFIED", text);
  switch_live_then_end();
}

// Another target has not what it is to have, and that may be what is seen.
bool Deployment::others_fail() const {
  return std::any_of(journal_.records().begin(), journal_.records().end(), [](const auto& entry) {
    return entry.second.stage == DeploymentStage::failed ||
           entry.second.stage == DeploymentStage::rolled_back;
  });
}

// What cannot be reached from here says nothing about a target: it has what it was to have, and is
// looked at again instead of being reloaded for as long as another server is down.
void Deployment::mark_unverified() {
  const auto left =
      fingerprints_left(store_, config_, spec_, journal_.records(), newest(), world_.clock.now());
  const auto is_bad = [&](const EndpointState& state) {
    return !state.ok() && !is_left(state, left);
  };
  const auto is_seen_bad = [&](const EndpointState& state) {
    return is_bad(state) && state.verdict != Verdict::unreachable;
  };
  auto bad = std::find_if(endpoints_.begin(), endpoints_.end(), is_seen_bad);
  const bool worse = bad != endpoints_.end();
  if (!worse) bad = std::find_if(endpoints_.begin(), endpoints_.end(), is_bad);
  const std::string where =
      bad->address.empty() ? bad->endpoint : bad->endpoint + " (" + bad->address + ")";
  const char* const code = worse ? "NOT_SERVED" : "ENDPOINT_UNREACHABLE";
  Error error{ErrorKind::transient, code, where + ": " + bad->detail, {}, {}};
  const Time now = world_.clock.now();
  const bool others = others_fail();
  for (const auto& [target, known] : journal_.records()) {
    if (known.stage != DeploymentStage::reloaded || known.generation != generation_.number) {
      continue;
    }
    DeploymentRecord& record = journal_.record(target);
    record.judged = true;
    record.failures = worse && !others ? record.failures + 1 : 0;
    record.last_error.reset();
    record.next_attempt.reset();
    if (!worse) continue;
    if (!others) record.last_error = save_error(error, now);
    const std::uint64_t random = world_.random.next();
    // A server that is well must not be reloaded every minute for as long as another one fails.
    record.next_attempt = others ? next_deployment_after_rollback(1, now, random)
                                 : next_deployment(record.failures, now, random);
  }
  journal_.note(std::move(error), worse ? Severity::error : Severity::warning);
  const bool seen = std::any_of(endpoints_.begin(), endpoints_.end(),
                                [](const EndpointState& state) { return state.ok(); });
  // Served somewhere and wrong nowhere, or only where a target fails that may be what is seen:
  // neither what cannot be reached nor a broken neighbour holds live/ back until it expires.
  if (seen && (!worse || others)) return switch_live_then_end();
  journal_.save({}, [this] { end(); });
}

// live/ follows what was seen to work, so that an unrelated restart never loads an untested pair.
void Deployment::switch_live_then_end() {
  const auto& records = journal_.records();
  const bool taken = std::any_of(records.begin(), records.end(), [this](const auto& entry) {
    return has_generation(entry.second);
  });
  const bool there = store_.live_generation(spec_.name) == generation_.number;
  live_moved_ = taken && !there;
  journal_.save(taken && !there ? store_.switch_live(spec_.name, generation_.number) : FileWork{},
                [this] { end(); });
}

}  // namespace nolapse
