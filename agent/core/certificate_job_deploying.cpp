// The part of a certificate's life after it is issued: is it where it belongs, and is it served?
#include "agent/core/certificate_job.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {
namespace {

bool serves(const std::vector<EndpointState>& endpoints, const Generation& generation) {
  return std::any_of(endpoints.begin(), endpoints.end(), [&](const EndpointState& state) {
    return state.ok() && state.fingerprint_sha256 == generation.leaf().fingerprint_sha256;
  });
}

}  // namespace

DeploymentWish CertificateJob::wish(bool again) const {
  DeploymentWish wish{again};
  wish.patience = options_.by_daemon ? Patience::all
                  : options_.force   ? Patience::none
                                     : Patience::window;
  // What failed before says nothing about another certificate, or another configuration.
  if (wish.patience == Patience::all && (outcome_.issued || reconfigured_)) {
    wish.patience = Patience::window;
  }
  wish.revocation = schedule_.revocation;
  wish.just_obtained = outcome_.issued;
  wish.known_places = schedule_.served_at;
  return wish;
}

bool CertificateJob::is_due(unsigned generation, const DeploymentWish& wish) const {
  return deployment_is_due(parts_.world, parts_.store, parts_.config, spec_, generation, wish);
}

// What targets have, without what a person took back once that is over.
DeploymentRecords CertificateJob::records_in_force() const {
  auto records = parts_.store.load_deployments(spec_.name).value_or(DeploymentRecords{});
  if (outcome_.generation) {
    end_withdrawals(records, parts_.store, spec_.name, *outcome_.generation, schedule_.revocation,
                    parts_.world.clock.now());
  }
  return records;
}

std::optional<EndsEarlier> CertificateJob::first_to_end(bool only_taken_back) const {
  if (!outcome_.generation || is_standby(spec_.name)) return {};
  const Generation& newest = *outcome_.generation;
  const DeploymentRecords records = records_in_force();
  return nolapse::first_to_end(spec_, records, newest,
                               generations_had(parts_.store, spec_.name, records, newest.number),
                               only_taken_back);
}

void CertificateJob::deploy_or_probe() {
  if (deploying_) std::exchange(deploying_, nullptr)();
  if (!outcome_.generation) return end(Action::failed);
  const bool live = parts_.store.live_generation(spec_.name) == outcome_.generation->number;
  if (!options_.deploy || is_standby(spec_.name))
    return end(outcome_.issued ? Action::renewed : Action::not_due);
  const DeploymentWish wish = this->wish(false);
  const bool only_live = !live && spec_.deploy.empty();
  const bool due = only_live || outcome_.issued || is_due(outcome_.generation->number, wish);
  if (options_.dry_run) return end(due ? Action::would_deploy : Action::not_due);
  // Where what was in use is lost it may still be served, and is better than what came before it.
  const bool look_first = lost_ != 0 && !outcome_.issued;
  if (due && !look_first && is_fit(*outcome_.generation)) return deploy(*outcome_.generation, wish);
  if (!finish_way_back()) probe();
}

// A person went back to an older generation, and a target of theirs did not take it.
bool CertificateJob::finish_way_back() {
  const unsigned newest = outcome_.generation->number;
  const unsigned number = way_back_to_finish(spec_, records_in_force(), newest);
  if (number == 0) return false;
  auto older = parts_.store.load_whole_generation(spec_.name, number);
  DeploymentWish wish = this->wish(false);
  wish.withdrawn = newest;
  if (!older || !is_fit(*older) || !is_due(number, wish)) return false;
  deploy(std::move(*older), std::move(wish));
  return true;
}

// Nothing is due by what we remember; what is served has the last word.
void CertificateJob::probe() {
  outcome_.deployments = records_in_force();
  to_serve_ = load_to_serve(parts_.store, parts_.config, spec_, outcome_.deployments,
                            *outcome_.generation, parts_.world.clock.now());
  VerificationRequest request = verification_of(parts_.config, spec_, to_serve_);
  request.known_places = schedule_.served_at;
  verify_endpoints_twice(
      parts_.world, std::move(request),
      [this](std::vector<EndpointState> endpoints) { probed(std::move(endpoints)); });
}

void CertificateJob::probed(std::vector<EndpointState> endpoints) {
  const auto is_bad = [](const EndpointState& state) { return !state.ok(); };
  const Generation& expected = to_serve_.front();
  const auto left = fingerprints_left(parts_.store, parts_.config, spec_, outcome_.deployments,
                                      outcome_.generation->number, parts_.world.clock.now());
  // What cannot be reached from here is no reason to touch a server, and what another target has
  // because a deployment did not come there is none to touch this one.
  const auto differs = std::find_if(endpoints.begin(), endpoints.end(), [&](const auto& state) {
    return (state.verdict == Verdict::wrong || state.verdict == Verdict::expired) &&
           !is_left(state, left);
  });
  const unsigned withdrawn =
      expected.number != outcome_.generation->number ? outcome_.generation->number : 0;
  if (withdrawn == 0 && leaves_newer(endpoints)) return;
  const bool fit = is_fit(expected);
  DeploymentWish again = wish(true);
  again.withdrawn = withdrawn;
  if (differs != endpoints.end() && fit && is_due(expected.number, again)) {
    parts_.events.emit(Severity::warning, spec_.name, "SERVED_DIFFERS",
                       differs->endpoint + ": " + differs->detail + "; deploying again");
    return deploy(expected, std::move(again));
  }
  const bool seen = endpoints.empty() || std::any_of(endpoints.begin(), endpoints.end(),
                                                     [](const auto& state) { return state.ok(); });
  const bool live = parts_.store.live_generation(spec_.name) == expected.number;
  if (!live && seen && differs == endpoints.end() && fit) {
    DeploymentWish follow = wish(false);
    follow.withdrawn = withdrawn;
    return deploy(expected, std::move(follow));
  }
  outcome_.endpoints = std::move(endpoints);
  const auto bad = std::find_if(outcome_.endpoints.begin(), outcome_.endpoints.end(), is_bad);
  if (bad == outcome_.endpoints.end()) return mark_verified();
  const bool unreachable = bad->verdict == Verdict::unreachable;
  tell(unreachable ? Severity::warning : Severity::error, "NOT_SERVED",
       bad->endpoint + ": " + bad->detail);
  end(Action::failed,
      Error{ErrorKind::transient, "NOT_SERVED", bad->endpoint + ": " + bad->detail, {}, {}});
}

// Never an older one after a newer: where what is served was issued after all that is here, and
// nobody here knows it, ours are too old and a new one is obtained instead.
bool CertificateJob::leaves_newer(const std::vector<EndpointState>& endpoints) {
  if (outcome_.issued) return false;
  const Generation& newest = *outcome_.generation;
  const auto state =
      served_and_newer(parts_.store, spec_.name, newest, endpoints, schedule_.revocation);
  if (!state) return false;
  const std::string what = describe_newer(*state, newest);
  tell(Severity::error, "NEWER_SERVED",
       what +
           "; it is left there until a new one is obtained. Was the state directory restored, or "
           "does somebody else renew it?");
  outcome_.endpoints = endpoints;
  // It was due before, and could not be had or has to wait.
  if (due_.now) {
    end(Action::failed, Error{ErrorKind::transient, "NEWER_SERVED", what, {}, {}});
    return true;
  }
  due_ = {true, parts_.world.clock.now(), "something newer is served than there is here"};
  outcome_.reason = due_.reason;
  renew_or_wait();
  return true;
}

// What is expired, or revoked by its CA, is brought nowhere: what is served instead is no worse.
bool CertificateJob::is_fit(const Generation& generation) const {
  return unfit_to_go_back_to(generation, schedule_.revocation, parts_.world.clock.now()).empty();
}

// A trouble that lasts is told of every day, not at every look.
void CertificateJob::tell(Severity severity, const std::string& code, const std::string& message) {
  if (told_today(parts_.remembered[spec_.name].told_at)) return;
  parts_.events.emit(severity, spec_.name, code, message);
}

bool CertificateJob::told_today(std::optional<Time>& told_at) const {
  const Time now = parts_.world.clock.now();
  if (told_at && now >= *told_at && now < *told_at + std::chrono::hours(24)) return true;
  told_at = now;
  return false;
}

// What could not be seen after the deployment has been seen now.
void CertificateJob::mark_verified() {
  parts_.remembered[spec_.name].told_at.reset();
  bool changed = false;
  const unsigned number = to_serve_.front().number;
  for (auto& [target, record] : outcome_.deployments) {
    const bool seen = record.stage == DeploymentStage::reloaded && record.generation == number &&
                      serves(outcome_.endpoints, to_serve_.front());
    if (!seen) continue;
    record.stage = DeploymentStage::verified;
    record.failures = 0;
    record.next_attempt.reset();
    record.last_error.reset();
    changed = true;
  }
  if (!changed) return end(Action::not_due);
  parts_.events.emit(
      Severity::info, spec_.name, "DEPLOYMENT_VERIFIED",
      "every endpoint serves what it should now, generation " + std::to_string(number));
  parts_.world.files.run(parts_.store.save_deployments(spec_.name, outcome_.deployments),
                         [this](Result<void>) { end(Action::not_due); });
}

void CertificateJob::deploy(Generation generation, DeploymentWish wish) {
  wish.spent = &*outcome_.spent;
  deployment_.emplace(parts_.world, parts_.store, parts_.events, parts_.turns, parts_.config, spec_,
                      std::move(generation), std::move(wish));
  deployment_->start([this](DeploymentOutcome outcome) {
    outcome_.deployments = std::move(outcome.records);
    outcome_.endpoints = std::move(outcome.endpoints);
    outcome_.unverified = outcome.unverified;
    if (outcome.newer_served && leaves_newer(outcome_.endpoints)) return;
    if (outcome.error) {
      const bool waits = outcome.error->kind == ErrorKind::deferred;
      return end(waits ? Action::waiting : Action::failed, std::move(outcome.error));
    }
    end(outcome_.issued ? Action::renewed : outcome.touched ? Action::deployed : Action::not_due);
  });
}

// ---- what a person wants deployed

void CertificateJob::deploy_wanted() {
  if (deploying_) std::exchange(deploying_, nullptr)();
  const auto refuse = [this](const std::string& code, const std::string& why) {
    end(Action::failed, Error{ErrorKind::input, code, why, {}, {}});
  };
  if (!outcome_.generation) return refuse("NO_CERTIFICATE", "there is no certificate yet");
  const unsigned newest = outcome_.generation->number;
  const auto records = parts_.store.load_deployments(spec_.name).value_or(DeploymentRecords{});
  Result<unsigned> number = options_.generation.value_or(newest);
  if (options_.work == RenewOptions::Work::roll_back) number = number_to_go_back_to(records);
  if (!number) return refuse(number.error().code, number.error().message);
  const auto there = parts_.store.generation_numbers(spec_.name);
  if (there && std::find(there->begin(), there->end(), *number) == there->end()) {
    return refuse("UNKNOWN_GENERATION", "there is no generation " + std::to_string(*number) +
                                            ", the newest is " + std::to_string(newest));
  }
  if (*number < newest && spec_.deploy.empty()) {
    return refuse("NO_TARGETS",
                  "it has no targets, and live/ follows the newest generation: what reads live/ "
                  "would have generation " +
                      std::to_string(newest) +
                      " again at the next look. Give it a target (deploy = […]), or renew it");
  }
  auto generation = parts_.store.load_whole_generation(spec_.name, *number);
  if (!generation) return refuse(generation.error().code, generation.error().message);
  const std::string unfit =
      unfit_to_go_back_to(*generation, schedule_.revocation, parts_.world.clock.now());
  if (!unfit.empty()) return refuse("UNFIT_GENERATION", unfit + "; it is not deployed");
  DeploymentWish wish{true};
  wish.target = options_.target;
  wish.known_places = schedule_.served_at;
  if (*number < newest) wish.withdrawn = newest;
  wish.revocation = schedule_.revocation;
  outcome_.reason = "asked for";
  outcome_.generation = *generation;
  if (*number < newest) {
    parts_.events.emit(Severity::warning, spec_.name, "GENERATION_WITHDRAWN",
                       "going back to generation " + std::to_string(*number) + "; generation " +
                           std::to_string(newest) + " stays away until `nolapse deploy " +
                           spec_.name + "`, the next renewal goes out as usual");
  }
  deploy(std::move(*generation), std::move(wish));
}

// To the last one that was verified: live/, where the newest is not that; else what the targets had
// before.
Result<unsigned> CertificateJob::number_to_go_back_to(const DeploymentRecords& records) const {
  const unsigned newest = outcome_.generation->number;
  const auto live = parts_.store.live_generation(spec_.name);
  if (live && *live < newest) return *live;
  unsigned former = 0;
  for (const auto& [target, record] : records) {
    if (options_.target.empty() || target == options_.target ||
        target.starts_with(options_.target + "@")) {
      former =
          std::max(former, generation_at(record) < newest ? generation_at(record) : record.former);
    }
  }
  if (former != 0) return former;
  const auto numbers = parts_.store.generation_numbers(spec_.name);
  const bool older = numbers && numbers->size() > 1 && (*numbers)[numbers->size() - 2] < newest;
  if (older) return (*numbers)[numbers->size() - 2];
  return fail(ErrorKind::input, "NO_FORMER_GENERATION",
              "nothing was deployed before generation " + std::to_string(newest) +
                  "; name one with `nolapse deploy " + spec_.name + " --generation N`");
}

}  // namespace nolapse
