#include "agent/core/certificate_job.h"

#include <algorithm>

#include "agent/core/expiry.h"

namespace nolapse {

const char* name_of(CertificateOutcome::Action action) {
  using Action = CertificateOutcome::Action;
  switch (action) {
    case Action::not_due:
      return "not_due";
    case Action::would_renew:
      return "would_renew";
    case Action::would_deploy:
      return "would_deploy";
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

void CertificateJob::start(std::function<void()> deploying, std::function<void()> done) {
  deploying_ = std::move(deploying);
  done_ = std::move(done);
  began_ = parts_.world.clock.uptime();
  parts_.world.clock.start_timer(Duration{0}, [this] { look(); });
}

void CertificateJob::look() {
  std::vector<std::string> damaged;
  auto newest = parts_.store.newest_generation(spec_.name, Store::Keys::checked, &damaged);
  if (!newest) {
    tell(Severity::error, newest.error().code, newest.error().message);
    due_.at = parts_.world.clock.now() + std::chrono::hours(1);
    return end(Action::failed, newest.error());
  }
  outcome_.generation = std::move(*newest);
  for (const std::string& what : damaged) {
    parts_.events.emit(Severity::warning, spec_.name, "GENERATION_DAMAGED", what);
  }
  auto schedule = parts_.store.load_schedule(spec_.name);
  const auto& unsaved = parts_.remembered[spec_.name].unsaved_schedule;
  if (unsaved) {
    schedule_ = *unsaved;
  } else if (schedule) {
    schedule_ = std::move(*schedule);
  } else {
    parts_.events.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                       schedule.error().message + "; the count of failures begins anew");
  }
  begin_anew_where_reconfigured();
  ask_the_ca();
}

// What failed under another configuration says nothing about this one.
void CertificateJob::begin_anew_where_reconfigured() {
  std::string digest = digest_of(spec_, parts_.config);
  reconfigured_ = !schedule_.configuration.empty() && schedule_.configuration != digest;
  schedule_.configuration = std::move(digest);
  if (!reconfigured_) return;
  schedule_.next_attempt.reset();
  schedule_.refused.clear();
  if (schedule_.failures > 0) schedule_.failures = 1;
}

// ---- deciding

// The CA may want its certificate replaced earlier than we would; asked as often as it allows.
void CertificateJob::ask_the_ca() {
  const Time now = parts_.world.clock.now();
  const auto& generation = outcome_.generation;
  const CaConfig* ca = generation ? parts_.config.find_ca(generation->ca) : nullptr;
  if (ca == nullptr || ca->directory != generation->ca_directory ||
      generation->leaf().not_after <= now || options_.dry_run) {
    return decide();
  }
  const auto& known = schedule_.renewal_info;
  const bool about_this =
      known && known->fingerprint_sha256 == generation->leaf().fingerprint_sha256;
  if (about_this && must_wait(known->poll_after, longest_poll, now)) return decide();
  CaClient& client = parts_.ca(ca->name);
  client.prepare([this, &client](Result<void> ready) {
    if (!ready) return advised(fail(ready.error()));
    client.ask_renewal_info(
        outcome_.generation->leaf(),
        [this](Result<CaClient::RenewalAdvice> advice) { advised(std::move(advice)); });
  });
}

void CertificateJob::advised(Result<CaClient::RenewalAdvice> advice) {
  const acme::Certificate& leaf = outcome_.generation->leaf();
  SavedRenewalInfo info = schedule_.renewal_info.value_or(SavedRenewalInfo{});
  if (info.fingerprint_sha256 != leaf.fingerprint_sha256) info = SavedRenewalInfo{};
  info.fingerprint_sha256 = leaf.fingerprint_sha256;
  if (advice) {
    const acme::RenewalInfo& window = advice->info;
    // One instant per window, whatever the number of polls. [RFC 9773 §4.2]
    if (info.start != window.start || info.end != window.end || !info.window_known()) {
      info.start = window.start;
      info.end = window.end;
      info.instant = acme::choose_renewal_instant(window, parts_.world.random.next());
    }
    info.explanation_url = window.explanation_url;
    info.poll_after = advice->poll_after;
  } else {
    // The last window stays in force; it is only advice. [RFC 9773 §4.3]
    info.poll_after = parts_.world.clock.now() + std::chrono::hours(6);
    if (advice.error().code != "NO_RENEWAL_INFO") {
      parts_.events.emit(Severity::warning, spec_.name, "RENEWAL_INFO_FAILED",
                         advice.error().message + "; renewing by lifetime until it works");
    }
  }
  schedule_.renewal_info = std::move(info);
  save_schedule([this] { decide(); });
}

// A clock that is behind the CA's makes an old certificate look young.
Time CertificateJob::now_or_later() {
  const Time now = parts_.world.clock.now();
  const auto& generation = outcome_.generation;
  if (!generation || parts_.config.find_ca(generation->ca) == nullptr) return now;
  const auto time_of_ca = parts_.ca(generation->ca).time();
  if (!time_of_ca || *time_of_ca < now + std::chrono::hours(1)) return now;
  parts_.events.emit(Severity::warning, spec_.name, "CLOCK_BEHIND",
                     "this machine's clock is " + acme::format_duration(*time_of_ca - now) +
                         " behind " + generation->ca +
                         "'s; set it (timedatectl shows whether it is synchronised)");
  return *time_of_ca;
}

void CertificateJob::decide() {
  const auto issuance = parts_.store.load_issuance(spec_.name);
  const Time now = parts_.world.clock.now();
  RenewalInput input{spec_, parts_.config};
  input.newest = outcome_.generation ? &*outcome_.generation : nullptr;
  input.requested = options_.force;
  input.under_way = issuance && *issuance;
  input.now = now_or_later();
  if (schedule_.renewal_info) input.renewal_info = &*schedule_.renewal_info;
  input.failed = schedule_.failures > 0;
  due_ = next_renewal(input);
  outcome_.reason = due_.reason;
  if (!due_.now) return deploy_or_probe();
  if (options_.by_daemon && must_wait(schedule_, now)) return deploy_or_probe();
  if (options_.dry_run) return end(Action::would_renew);
  // Only what the CA itself asked us to wait for holds up a person's command.
  const auto& last = schedule_.last_error;
  if (!options_.force && !reconfigured_ && last &&
      must_wait(last->retry_after, longest_retry_after, now)) {
    issuance_error_ =
        Error{ErrorKind::deferred, last->code,
              last->message + "; the CA asks to wait until " +
                  acme::format_rfc3339(*last->retry_after) + " (--force --again asks it anyway)",
              last->problem, last->retry_after};
    return deploy_or_probe();
  }
  issue();
}

// ---- issuing

// As configured, but an order that is under way is gone on with first.
std::vector<std::string> CertificateJob::ca_order() const {
  if (!options_.ca.empty()) return {options_.ca};
  std::vector<std::string> order = spec_.cas;
  const auto issuance = parts_.store.load_issuance(spec_.name);
  if (issuance && *issuance) {
    const auto under_way = std::find(order.begin(), order.end(), (*issuance)->ca);
    if (under_way != order.end()) std::rotate(order.begin(), under_way, under_way + 1);
  }
  return order;
}

Who CertificateJob::asker() const {
  if (!options_.force) return Who::daemon;
  return options_.again ? Who::person_again : Who::person;
}

bool CertificateJob::inside_window() const {
  const auto& advice = schedule_.renewal_info;
  const Time now = parts_.world.clock.now();
  return advice && outcome_.generation && advice->window_known() &&
         advice->fingerprint_sha256 == outcome_.generation->leaf().fingerprint_sha256 &&
         now >= advice->start && now < advice->end;
}

CertificateSpec CertificateJob::without_failing_names() {
  CertificateSpec spec = spec_;
  const acme::Certificate* leaf = outcome_.generation ? &outcome_.generation->leaf() : nullptr;
  left_out_ = names_to_leave_out(spec_.domains, schedule_.refused, leaf, parts_.world.clock.now());
  for (const acme::Identifier& name : left_out_) {
    spec.domains.erase(std::find(spec.domains.begin(), spec.domains.end(), name));
    parts_.events.emit(Severity::error, spec_.name, "NAME_QUARANTINED",
                       name.value + " is left out, so that the other names are renewed in time: " +
                           std::to_string(schedule_.refused.at(name.value)) +
                           " attempts in a row failed because of it. Put its DNS and its way to "
                           "this host right, or take it out of the configuration");
  }
  return spec;
}

// What an attempt says of the names it asked for; one that came to no answer says nothing.
void CertificateJob::count_refusals() {
  const auto& refused = renewal_->refused();
  if (refused.empty()) return;
  std::map<std::string, int> counts;
  for (const acme::Identifier& name : left_out_) counts[name.value] = schedule_.refused[name.value];
  for (const acme::Identifier& name : refused) {
    counts[name.value] = schedule_.refused[name.value] + 1;
  }
  schedule_.refused = std::move(counts);
}

void CertificateJob::issue() {
  cas_left_ = ca_order();
  ask_next_ca();
}

void CertificateJob::ask_next_ca() {
  CaClient& ca = parts_.ca(cas_left_.front());
  cas_left_.erase(cas_left_.begin());
  renewal_ = std::make_unique<Renewal>(
      parts_.world, parts_.store, parts_.events, ca, parts_.solver,
      Renewal::Request{without_failing_names(), asker(), inside_window(),
                       due_.by_time ? std::optional(due_.at) : std::nullopt});
  renewal_->start([this](Result<Generation> generation) {
    // Late, because the attempt that reports this may be replaced by the next.
    parts_.world.clock.start_timer(
        Duration{0}, [this, generation = std::move(generation)] { issued(generation); });
  });
}

void CertificateJob::issued(Result<Generation> generation) {
  schedule_.last_attempt = parts_.world.clock.now();
  if (!generation) return failed(generation.error());
  outcome_.generation = std::move(*generation);
  outcome_.issued = true;
  if (left_out_.empty()) {
    schedule_.failures = 0;
    schedule_.last_error.reset();
    schedule_.next_attempt.reset();
    schedule_.refused.clear();
  } else {
    retry_later(ErrorKind::validation, {});
  }
  parts_.events.emit(Severity::info, spec_.name, "CERTIFICATE_ISSUED",
                     "generation " + std::to_string(outcome_.generation->number) +
                         " is issued by " + outcome_.generation->ca + ", valid until " +
                         acme::format_rfc3339(outcome_.generation->leaf().not_after));
  RenewalInput input{spec_, parts_.config};
  input.newest = &*outcome_.generation;
  input.now = parts_.world.clock.now();
  input.failed = schedule_.failures > 0;
  due_ = next_renewal(input);
  save_schedule([this] { deploy_or_probe(); });
}

void CertificateJob::failed(const Error& error) {
  const Time now = parts_.world.clock.now();
  count_refusals();
  const bool waits = error.kind == ErrorKind::deferred;
  parts_.events.emit(waits ? Severity::warning : Severity::error, spec_.name, error.code,
                     error.message);
  const acme::Certificate* leaf = outcome_.generation ? &outcome_.generation->leaf() : nullptr;
  if (!cas_left_.empty() && may_fail_over({error.kind, leaf, options_.force, now})) {
    parts_.events.emit(Severity::warning, spec_.name, "CA_FAILED_OVER",
                       "asking " + cas_left_.front() + " instead");
    return ask_next_ca();
  }
  ++schedule_.failures;
  schedule_.last_error = save_error(error, now);
  retry_later(error.kind, error.retry_after);
  // The names that did not fail need not wait for the next attempt.
  if (left_out_.empty() &&
      !names_to_leave_out(spec_.domains, schedule_.refused, leaf, now).empty()) {
    return save_schedule([this] { issue(); });
  }
  issuance_error_ = error;
  // What was issued before may still have to be deployed, and a person wants to see what is served.
  save_schedule([this] { deploy_or_probe(); });
}

void CertificateJob::retry_later(ErrorKind kind, std::optional<Time> retry_after) {
  RetryInput retry{schedule_.failures,        kind, retry_after, {}, parts_.world.clock.now(),
                   parts_.world.random.next()};
  if (outcome_.generation) retry.not_after = outcome_.generation->leaf().not_after;
  schedule_.next_attempt = next_attempt(retry);
}

void CertificateJob::save_schedule(std::function<void()> then) {
  parts_.world.files.run(parts_.store.save_schedule(spec_.name, schedule_),
                         [this, then = std::move(then)](Result<void> saved) {
                           auto& unsaved = parts_.remembered[spec_.name].unsaved_schedule;
                           if (saved) {
                             unsaved.reset();
                           } else {
                             unsaved = schedule_;
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

// After a failed deployment the daemon waits a little longer each time.
bool CertificateJob::deployment_waits() const {
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
  if (!options_.deploy) return end(outcome_.issued ? Action::renewed : Action::not_due);
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
  verify_endpoints(parts_.world,
                   {spec_.domains, spec_.endpoints, outcome_.generation->leaf().fingerprint_sha256,
                    issuer_roots(parts_.config, &*outcome_.generation)},
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
  const Time now = parts_.world.clock.now();
  auto& told_at = parts_.remembered[spec_.name].told_at;
  if (told_at && now >= *told_at && now < *told_at + std::chrono::hours(24)) return;
  told_at = now;
  parts_.events.emit(severity, spec_.name, code, message);
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

void CertificateJob::end(Action action, std::optional<Error> error) {
  outcome_.action = action;
  outcome_.error = std::move(error);
  // A certificate that could not be renewed is the news, whatever else went well or wrong.
  if (issuance_error_) {
    const bool waits = issuance_error_->kind == ErrorKind::deferred;
    outcome_.action = waits ? Action::waiting : Action::failed;
    outcome_.error = issuance_error_;
  }
  if (told_of_expiry()) return save_schedule([this] { report(); });
  report();
}

// A person sees what a run says; for the daemon somebody has to be told.
bool CertificateJob::told_of_expiry() {
  if (!options_.by_daemon || !outcome_.generation) return false;
  const acme::Certificate& leaf = outcome_.generation->leaf();
  const Time now = parts_.world.clock.now();
  const Time planned = due_.by_time ? due_.at : renewal_point(leaf, spec_.renew_before);
  const int step = expiry_step(leaf, planned, now);
  const SavedAlarm before = schedule_.alarm;
  if (step < before.step) schedule_.alarm = {};
  if (must_tell_expiry(schedule_.alarm, step, now)) {
    schedule_.alarm = {step, now};
    std::string text = describe_expiry(leaf, now) + " and is not renewed";
    if (schedule_.last_error) text += ": " + schedule_.last_error->message;
    parts_.events.emit(step == 1 ? Severity::warning : Severity::error, spec_.name,
                       step == 4 ? "EXPIRED" : "EXPIRY_NEAR", text);
  }
  return !(schedule_.alarm == before);
}

void CertificateJob::report() {
  const bool looked = outcome_.action == Action::not_due || outcome_.action == Action::renewed ||
                      outcome_.action == Action::deployed;
  // An operator who lists no endpoints knows; one who lists none at all may not.
  outcome_.unverified = looked && options_.deploy && !options_.dry_run &&
                        outcome_.endpoints.empty() && !spec_.endpoints;
  LookInput look{due_, schedule_, outcome_.deployments, parts_.world.clock.now(),
                 parts_.world.random.next()};
  look.check_interval = parts_.config.daemon.check_interval;
  look.verifiable = outcome_.generation && !(spec_.endpoints && spec_.endpoints->empty());
  outcome_.next_look = next_look(look);
  outcome_.took = parts_.world.clock.uptime() - began_;
  done_();
}

}  // namespace nolapse
