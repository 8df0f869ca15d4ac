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
  // At once, or each look would begin anew.
  if (reconfigured_ && !options_.dry_run) return save_schedule([this] { ask_the_ca(); });
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
    return ask_whether_revoked();
  }
  const auto& known = schedule_.renewal_info;
  const bool about_this =
      known && known->fingerprint_sha256 == generation->leaf().fingerprint_sha256;
  if (about_this && must_wait(known->poll_after, longest_poll, now)) return ask_whether_revoked();
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
    parts_.remembered[spec_.name].advice_failed = false;
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
    const bool told = std::exchange(parts_.remembered[spec_.name].advice_failed, true);
    if (!told && advice.error().code != "NO_RENEWAL_INFO") {
      parts_.events.emit(Severity::warning, spec_.name, "RENEWAL_INFO_FAILED",
                         advice.error().message + "; renewing by lifetime until it works");
    }
  }
  schedule_.renewal_info = std::move(info);
  save_schedule([this] { ask_whether_revoked(); });
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
  if (schedule_.revocation) input.revocation = &*schedule_.revocation;
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
              last->message + "; the next order is for " +
                  acme::format_rfc3339(*last->retry_after) + " (--force --again places it now)",
              last->problem, last->retry_after};
    return deploy_or_probe();
  }
  issue();
}

// ---- the end

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
  const int step = expiry_step(leaf, planned_renewal(), now);
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

Time CertificateJob::planned_renewal() const {
  return due_.by_time ? due_.at : renewal_point(outcome_.generation->leaf(), spec_.renew_before);
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
  look.revocation_poll = parts_.remembered[spec_.name].revocation_poll;
  look.verifiable = outcome_.generation && !(spec_.endpoints && spec_.endpoints->empty());
  outcome_.next_look = next_look(look);
  if (outcome_.generation) {
    const auto step = next_expiry_step(outcome_.generation->leaf(), planned_renewal(), look.now);
    if (step) outcome_.next_look = std::min(outcome_.next_look, *step);
  }
  outcome_.took = parts_.world.clock.uptime() - began_;
  done_();
}

}  // namespace nolapse
