// The part of a certificate's life after it is issued: is it where it belongs, and is it served?
#include "agent/core/certificate_job.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {

bool CertificateJob::deployment_is_due() const {
  const auto records = parts_.store.load_deployments(spec_.name);
  if (!records) return true;
  return std::any_of(spec_.deploy.begin(), spec_.deploy.end(), [&](const std::string& target) {
    const auto record = records->find(target);
    return record == records->end() || record->second.generation != outcome_.generation->number ||
           (record->second.stage != DeploymentStage::reloaded &&
            record->second.stage != DeploymentStage::verified);
  });
}

// After a failed deployment the daemon waits a little longer each time. What the CA has revoked is
// brought nowhere: what is served instead is no worse.
bool CertificateJob::deployment_waits() const {
  if (revoked()) return true;
  if (!options_.by_daemon || outcome_.issued || reconfigured_) return false;
  const auto records = parts_.store.load_deployments(spec_.name);
  return records && std::any_of(records->begin(), records->end(), [&](const auto& entry) {
           return must_wait(entry.second.next_attempt, longest_back_off, parts_.world.clock.now());
         });
}

void CertificateJob::deploy_or_probe() {
  if (deploying_) std::exchange(deploying_, nullptr)();
  if (!outcome_.generation) return end(Action::failed);
  const bool live = parts_.store.live_generation(spec_.name) == outcome_.generation->number;
  if (!options_.deploy || is_standby(spec_.name))
    return end(outcome_.issued ? Action::renewed : Action::not_due);
  if (options_.dry_run) {
    return end(!live || deployment_is_due() ? Action::would_deploy : Action::not_due);
  }
  const bool only_live = !live && spec_.deploy.empty();
  if ((only_live || deployment_is_due()) && !deployment_waits()) {
    return deploy(Deployment::Targets::unfinished);
  }
  probe();
}

// Nothing is due by what we remember; what is served has the last word.
void CertificateJob::probe() {
  VerificationRequest request = verification_of(spec_);
  request.expected = expected_leaf(outcome_.generation->leaf());
  request.roots_file = issuer_roots(parts_.config, &*outcome_.generation);
  verify_endpoints(parts_.world, std::move(request),
                   [this](std::vector<EndpointState> endpoints) { probed(std::move(endpoints)); });
}

void CertificateJob::probed(std::vector<EndpointState> endpoints) {
  const auto is_bad = [](const EndpointState& state) { return !state.ok(); };
  // What cannot be reached from here is no reason to touch a server.
  const auto differs = std::find_if(endpoints.begin(), endpoints.end(), [](const auto& state) {
    return state.verdict == Verdict::wrong || state.verdict == Verdict::expired;
  });
  if (differs != endpoints.end() && !spec_.deploy.empty() && !deployment_waits()) {
    parts_.events.emit(Severity::warning, spec_.name, "SERVED_DIFFERS",
                       differs->endpoint + ": " + differs->detail + "; deploying again");
    return deploy(Deployment::Targets::all);
  }
  const bool seen = endpoints.empty() || std::any_of(endpoints.begin(), endpoints.end(),
                                                     [](const auto& state) { return state.ok(); });
  const bool live = parts_.store.live_generation(spec_.name) == outcome_.generation->number;
  if (!live && seen && differs == endpoints.end() && !deployment_waits()) {
    return deploy(Deployment::Targets::unfinished);
  }
  outcome_.endpoints = std::move(endpoints);
  outcome_.deployments = parts_.store.load_deployments(spec_.name).value_or(DeploymentRecords{});
  const auto bad = std::find_if(outcome_.endpoints.begin(), outcome_.endpoints.end(), is_bad);
  if (bad == outcome_.endpoints.end()) return mark_verified();
  const bool unreachable = bad->verdict == Verdict::unreachable;
  tell(unreachable ? Severity::warning : Severity::error, "NOT_SERVED",
       bad->endpoint + ": " + bad->detail);
  end(Action::failed,
      Error{ErrorKind::transient, "NOT_SERVED", bad->endpoint + ": " + bad->detail, {}, {}});
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
  for (auto& [target, record] : outcome_.deployments) {
    const bool seen = !outcome_.endpoints.empty() && record.stage == DeploymentStage::reloaded &&
                      record.generation == outcome_.generation->number;
    if (!seen) continue;
    record = {DeploymentStage::verified, record.generation, 0, {}, {}};
    changed = true;
  }
  if (!changed) return end(Action::not_due);
  parts_.events.emit(
      Severity::info, spec_.name, "DEPLOYMENT_VERIFIED",
      "every endpoint serves generation " + std::to_string(outcome_.generation->number) + " now");
  parts_.world.files.run(parts_.store.save_deployments(spec_.name, outcome_.deployments),
                         [this](Result<void>) { end(Action::not_due); });
}

void CertificateJob::deploy(Deployment::Targets targets) {
  deployment_.emplace(parts_.world, parts_.store, parts_.events, parts_.turns, parts_.config, spec_,
                      *outcome_.generation, targets);
  deployment_->start([this](DeploymentOutcome outcome) {
    outcome_.deployments = std::move(outcome.records);
    outcome_.endpoints = std::move(outcome.endpoints);
    if (outcome.error) return end(Action::failed, std::move(outcome.error));
    end(outcome_.issued ? Action::renewed : Action::deployed);
  });
}

}  // namespace nolapse
