// The part of a certificate's life that asks CAs: which one, for which names, and what a failure
// means for the next attempt.
#include "agent/core/certificate_job.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {

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

Renewal::Request CertificateJob::request(const std::string& challenge) {
  Renewal::Request request{without_failing_names(), challenge, asker(), inside_window(),
                           options_.by_daemon && schedule_.failures == 0};
  if (due_.by_time) request.due_at = due_.at;
  // An attempt that failed may have asked too early.
  request.unseen_before = schedule_.proof && schedule_.proof->challenge == challenge &&
                          !schedule_.proof->seen && schedule_.failures == 0;
  request.wait_for_person = schedule_.failures < 2 && !options_.again;
  request.reason = due_.reason;
  request.spent = &*outcome_.spent;
  if (revoked() && schedule_.revocation->revocation.reason == "keyCompromise") {
    request.spec.reuse_key = false;
    request.compromised_key = outcome_.generation->leaf().public_key_der;
  }
  // Fewer names than wanted are worth asking for only because of the time, or of a revocation.
  if (const auto* leaf = usable_leaf(); leaf != nullptr && !left_out_.empty()) {
    request.due_at = renewal_point(*leaf, spec_.renew_before);
  }
  return request;
}

// Those to leave out. Of the operator's own signing request none can be: an order has its names.
std::vector<acme::Identifier> CertificateJob::failing_names() const {
  if (!spec_.csr_file.empty()) return {};
  return names_to_leave_out(spec_.domains, schedule_.refused, usable_leaf(),
                            parts_.world.clock.now());
}

CertificateSpec CertificateJob::without_failing_names() {
  CertificateSpec spec = spec_;
  left_out_ = failing_names();
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
  ca_ = cas_left_.front();
  cas_left_.erase(cas_left_.begin());
  challenges_left_ = challenge_order();
  ask();
}

// By what succeeded last, but an order that is under way is gone on with first.
std::vector<std::string> CertificateJob::challenge_order() const {
  std::vector<std::string> order = spec_.challenges;
  const auto issuance = parts_.store.load_issuance(spec_.name);
  const bool under_way = issuance && *issuance && (*issuance)->ca == ca_;
  const std::string& first = under_way ? (*issuance)->challenge : schedule_.challenge;
  const auto found = std::find(order.begin(), order.end(), first);
  if (found != order.end()) std::rotate(order.begin(), found, found + 1);
  return order;
}

void CertificateJob::ask() {
  challenge_ = challenges_left_.front();
  challenges_left_.erase(challenges_left_.begin());
  renewal_ = std::make_unique<Renewal>(parts_.world, parts_.store, parts_.events, parts_.ca(ca_),
                                       *parts_.solver(challenge_), parts_.left_behind,
                                       request(challenge_));
  renewal_->start([this](Result<Generation> generation) {
    // Late, because the attempt that reports this may be replaced by the next.
    parts_.world.clock.start_timer(
        Duration{0}, [this, generation = std::move(generation)] { issued(generation); });
  });
}

void CertificateJob::issued(Result<Generation> generation) {
  schedule_.last_attempt = parts_.world.clock.now();
  if (!generation) return failed(generation.error());
  parts_.events.emit(Severity::info, spec_.name, "CERTIFICATE_ISSUED",
                     "generation " + std::to_string(generation->number) + " is issued by " +
                         generation->ca + ", valid until " +
                         acme::format_rfc3339(generation->leaf().not_after));
  schedule_.challenge = challenge_ == spec_.challenges.front() ? std::string() : challenge_;
  if (renewal_->proof()) schedule_.proof = renewal_->proof();
  obtained(std::move(*generation));
}

void CertificateJob::obtained(Generation generation) {
  if (recalled(judged_at_)) schedule_.renewal_info->recall_answered_at = judged_at_;
  outcome_.generation = std::move(generation);
  outcome_.issued = true;
  if (!outcome_.generation->leaf().revocation_list_urls.empty()) {
    parts_.remembered[spec_.name].revocation_poll =
        parts_.world.clock.now() + RevocationCheck::ask_every;
  }
  if (left_out_.empty()) {
    schedule_.failures = 0;
    schedule_.last_error.reset();
    schedule_.next_attempt.reset();
    schedule_.refused.clear();
  } else {
    retry_later(ErrorKind::validation, {});
  }
  RenewalInput input{spec_, parts_.config};
  input.newest = &*outcome_.generation;
  input.now = parts_.world.clock.now();
  input.failed = schedule_.failures > 0;
  due_ = next_renewal(input);
  save_schedule([this] { deploy_or_probe(); });
}

void CertificateJob::failed(const Error& error) {
  const Time now = parts_.world.clock.now();
  if (!challenges_left_.empty() && renewal_->proof_failed()) {
    parts_.events.emit(Severity::warning, spec_.name, error.code, error.message);
    parts_.events.emit(
        Severity::warning, spec_.name, "CHALLENGE_FAILED_OVER",
        "trying the challenge " + challenges_left_.front() + " instead of " + challenge_);
    return ask();
  }
  count_refusals();
  const bool waits = error.kind == ErrorKind::deferred;
  parts_.events.emit(waits ? Severity::warning : Severity::error, spec_.name, error.code,
                     error.message);
  const acme::Certificate* leaf = usable_leaf();
  // The next CA may be the one that the DNS allows.
  const bool forbidden = error.code == "CAA_FORBIDS_CA" || error.code == "CA_CAA";
  const FailOverInput input{error.kind, leaf, options_.force, now, renewal_->over_our_count()};
  if (!cas_left_.empty() && (forbidden || may_fail_over(input))) {
    parts_.events.emit(Severity::warning, spec_.name, "CA_FAILED_OVER",
                       "asking " + cas_left_.front() + " instead");
    return ask_next_ca();
  }
  // By a clock that is wrong it only looks as if little were left.
  if (error.code == "CLOCK_AHEAD") return came_to_nothing(error);
  take_over_or(true, [this, error] { came_to_nothing(error); });
}

void CertificateJob::came_to_nothing(const Error& error) {
  // A person's wish for which no CA was asked says nothing of the renewals to come.
  if (!options_.force || error.code != "RATE_LEDGER") {
    ++schedule_.failures;
    schedule_.last_error = save_error(error, parts_.world.clock.now());
    retry_later(error.kind, error.retry_after);
  }
  // The names that did not fail need not wait for the next attempt.
  if (left_out_.empty() && !failing_names().empty()) {
    return save_schedule([this] { issue(); });
  }
  issuance_error_ = error;
  // What was issued before may still have to be deployed, and a person wants to see what is served.
  save_schedule([this] { deploy_or_probe(); });
}

void CertificateJob::retry_later(ErrorKind kind, std::optional<Time> retry_after) {
  RetryInput retry{schedule_.failures,        kind, retry_after, {}, parts_.world.clock.now(),
                   parts_.world.random.next()};
  if (const auto* leaf = usable_leaf()) retry.not_after = leaf->not_after;
  if (is_standby(spec_.name)) retry.not_after = certificate_until_;
  schedule_.next_attempt = next_attempt(retry);
}

void CertificateJob::save_schedule(std::function<void()> then) {
  parts_.world.files.run(parts_.store.save_schedule(spec_.name, schedule_),
                         [this, then = std::move(then)](Result<void> saved) {
                           auto& unsaved = parts_.remembered[spec_.name].unsaved_schedule;
                           if (saved) {
                             unsaved.reset();
                           } else {
                             unsaved = std::make_unique<ScheduleRecord>(schedule_);
                             parts_.events.emit(Severity::error, spec_.name, saved.error().code,
                                                saved.error().message);
                           }
                           then();
                         });
}

}  // namespace nolapse
