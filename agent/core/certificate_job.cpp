#include "agent/core/certificate_job.h"

#include <algorithm>

namespace nolapse {

const char* name_of(CertificateOutcome::Action action) {
  using Action = CertificateOutcome::Action;
  switch (action) {
    case Action::not_due:
      return "not_due";
    case Action::would_renew:
      return "would_renew";
    case Action::renewed:
      return "renewed";
    case Action::deployed:
      return "deployed";
    case Action::failed:
      return "failed";
    case Action::waiting:
      return "waiting";
  }
  return "failed";
}

CertificateJob::CertificateJob(JobParts parts, const CertificateSpec& spec,
                               const RenewOptions& options)
    : parts_(parts), spec_(spec), options_(options) {
  outcome_.name = spec.name;
}

void CertificateJob::start(std::function<void()> done) {
  done_ = std::move(done);
  began_ = parts_.world.clock.uptime();
  parts_.world.clock.start_timer(Duration{0}, [this] { look(); });
}

void CertificateJob::look() {
  std::vector<std::string> damaged;
  outcome_.generation = parts_.store.newest_generation(spec_.name, &damaged);
  for (const std::string& what : damaged) {
    parts_.events.emit(Severity::warning, spec_.name, "GENERATION_DAMAGED", what);
  }
  auto schedule = parts_.store.load_schedule(spec_.name);
  if (schedule) {
    schedule_ = std::move(*schedule);
  } else {
    parts_.events.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                       schedule.error().message + "; the count of failures begins anew");
  }
  const auto issuance = parts_.store.load_issuance(spec_.name);
  const bool under_way = issuance && *issuance;
  const Generation* newest = outcome_.generation ? &*outcome_.generation : nullptr;
  const Time now = parts_.world.clock.now();
  const Due due = next_renewal({spec_, parts_.config, newest, options_.force, under_way, now});
  outcome_.reason = due.reason;
  if (!due.now) return deploy_or_probe();
  if (options_.dry_run) return end(Action::would_renew);
  // Only what the CA itself asked us to wait for holds up a person's command.
  const auto& last = schedule_.last_error;
  if (!options_.force && last && last->retry_after && *last->retry_after > now) {
    return end(Action::waiting,
               Error{ErrorKind::deferred, last->code,
                     last->message + "; the CA asks to wait until " +
                         acme::format_rfc3339(*last->retry_after) + " (--force asks it anyway)",
                     last->problem, last->retry_after});
  }
  issue();
}

// ---- issuing

void CertificateJob::issue() {
  renewal_.emplace(parts_.world, parts_.store, parts_.events, parts_.ca, parts_.solver, spec_);
  renewal_->start([this](Result<Generation> generation) { issued(std::move(generation)); });
}

void CertificateJob::issued(Result<Generation> generation) {
  const Time now = parts_.world.clock.now();
  schedule_.last_attempt = now;
  if (generation) {
    outcome_.generation = std::move(*generation);
    outcome_.issued = true;
    schedule_.failures = 0;
    schedule_.last_error.reset();
    schedule_.next_attempt.reset();
    parts_.events.emit(Severity::info, spec_.name, "CERTIFICATE_ISSUED",
                       "generation " + std::to_string(outcome_.generation->number) +
                           " is issued, valid until " +
                           acme::format_rfc3339(outcome_.generation->leaf().not_after));
    return save_schedule([this] { deploy_or_probe(); });
  }
  const Error error = generation.error();
  parts_.events.emit(Severity::error, spec_.name, error.code, error.message);
  ++schedule_.failures;
  schedule_.last_error = save_error(error, now);
  RetryInput retry{schedule_.failures,        error.kind, error.retry_after, {}, now,
                   parts_.world.random.next()};
  if (outcome_.generation) retry.not_after = outcome_.generation->leaf().not_after;
  schedule_.next_attempt = next_attempt(retry);
  save_schedule([this, error] {
    end(error.kind == ErrorKind::deferred ? Action::waiting : Action::failed, error);
  });
}

void CertificateJob::save_schedule(std::function<void()> then) {
  parts_.world.files.run(parts_.store.save_schedule(spec_.name, schedule_),
                         [this, then = std::move(then)](Result<void> saved) {
                           if (!saved) {
                             parts_.events.emit(Severity::error, spec_.name, saved.error().code,
                                                saved.error().message);
                           }
                           then();
                         });
}

// ---- deploying

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

void CertificateJob::deploy_or_probe() {
  const bool live = parts_.store.live_generation(spec_.name) == outcome_.generation->number;
  if (!options_.deploy) return end(outcome_.issued ? Action::renewed : Action::not_due);
  if (options_.dry_run) return end(Action::not_due);
  if (!live || deployment_is_due()) return deploy();
  probe();
}

// Nothing is due by what we remember; what is served has the last word.
void CertificateJob::probe() {
  verify_endpoints(parts_.world,
                   {spec_.domains, spec_.endpoints, outcome_.generation->leaf().fingerprint_sha256,
                    issuer_roots(parts_.config, &*outcome_.generation)},
                   [this](std::vector<EndpointState> endpoints) { probed(std::move(endpoints)); });
}

void CertificateJob::probed(std::vector<EndpointState> endpoints) {
  const auto bad = std::find_if(endpoints.begin(), endpoints.end(),
                                [](const EndpointState& state) { return !state.ok(); });
  if (bad == endpoints.end() || spec_.deploy.empty()) {
    outcome_.endpoints = std::move(endpoints);
    outcome_.deployments = parts_.store.load_deployments(spec_.name).value_or(DeploymentRecords{});
    const auto& seen = outcome_.endpoints;
    const auto failed = std::find_if(seen.begin(), seen.end(),
                                     [](const EndpointState& state) { return !state.ok(); });
    if (failed == seen.end()) return end(Action::not_due);
    return end(
        Action::failed,
        Error{
            ErrorKind::transient, "NOT_SERVED", failed->endpoint + ": " + failed->detail, {}, {}});
  }
  parts_.events.emit(Severity::warning, spec_.name, "SERVED_DIFFERS",
                     bad->endpoint + ": " + bad->detail + "; deploying again");
  deploy();
}

void CertificateJob::deploy() {
  deployment_.emplace(parts_.world, parts_.store, parts_.events, parts_.turns, parts_.config, spec_,
                      *outcome_.generation);
  deployment_->start([this](DeploymentOutcome outcome) {
    outcome_.deployments = std::move(outcome.records);
    outcome_.endpoints = std::move(outcome.endpoints);
    if (outcome.error) return end(Action::failed, std::move(outcome.error));
    end(outcome_.issued ? Action::renewed : Action::deployed);
  });
}

void CertificateJob::end(Action action, std::optional<Error> error) {
  outcome_.action = action;
  outcome_.error = std::move(error);
  outcome_.took = parts_.world.clock.uptime() - began_;
  done_();
}

}  // namespace nolapse
