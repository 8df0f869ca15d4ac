#include "agent/core/certificate_job.h"

#include <algorithm>

#include "agent/core/expiry.h"
#include "agent/core/own_request.h"
#include "agent/core/series.h"

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

CertificateJob::CertificateJob(JobParts parts, CertificateSpec spec, const RenewOptions& options)
    : parts_(parts), spec_(std::move(spec)), options_(options) {
  outcome_.name = spec_.name;
}

void CertificateJob::start(std::function<void()> deploying, std::function<void()> done) {
  deploying_ = std::move(deploying);
  done_ = std::move(done);
  began_ = parts_.world.clock.uptime();
  outcome_.spent.emplace(parts_.world.clock);
  parts_.world.clock.start_timer(Duration{0}, [this] { give_keys_to_group(); });
}

// A generation never changes, but who may read its key is the operator's to change. The group is
// the same as long as this process has this configuration.
void CertificateJob::give_keys_to_group() {
  auto& given = parts_.remembered[spec_.name].keys_given;
  if (given || options_.dry_run) return look();
  given = true;
  FileWork work = parts_.store.give_keys_to(spec_.name, spec_.group);
  if (work.empty()) return look();
  const auto access = [this, keys = work] {
    std::string text;
    for (const FileOperation& operation : keys) {
      const auto* key = std::get_if<SetAccess>(&operation);
      const auto status = parts_.world.files.status(key != nullptr ? key->path : std::string("/"));
      if (status) text += std::to_string(status->mode) + " " + status->group + "\n";
    }
    return text;
  };
  parts_.world.files.run(std::move(work), [this, access, before = access()](Result<void> set) {
    if (!set) {
      parts_.events.emit(Severity::error, spec_.name, "KEY_GROUP_NOT_SET", set.error().message);
    } else if (access() != before) {
      parts_.events.emit(Severity::info, spec_.name, "KEY_GROUP_SET",
                         spec_.group.empty()
                             ? "its keys are their owner's alone now"
                             : "the group " + spec_.group + " may read its keys now");
    }
    look();
  });
}

void CertificateJob::look() {
  if (is_standby(spec_.name) && !find_other_cas()) return end(Action::not_due);
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
  const Remembered& remembered = parts_.remembered[spec_.name];
  const auto& unsaved = remembered.unsaved_schedule;
  if (unsaved) {
    schedule_ = *unsaved;
  } else if (schedule) {
    schedule_ = std::move(*schedule);
  } else {
    parts_.events.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                       schedule.error().message + "; the count of failures begins anew");
  }
  if (auto& advice = schedule_.renewal_info; advice && remembered.poll_after) {
    advice->poll_after = *remembered.poll_after;
  }
  begin_anew_where_reconfigured();
  anew_ = reconfigured_ || (!schedule && !unsaved);
  // In the middle of an incident no CA is waited for.
  if (options_.work != RenewOptions::Work::renew) return decide();
  if (options_.dry_run) return ask_the_ca();
  parts_.left_behind.try_again(spec_.name, parts_.solver, [this] { looked(); });
}

void CertificateJob::looked() {
  // At once, or each look would begin anew.
  if (anew_) return save_schedule([this] { ask_the_ca(); });
  ask_the_ca();
}

// What failed under another configuration says nothing about this one.
void CertificateJob::begin_anew_where_reconfigured() {
  std::string& digest = parts_.remembered[spec_.name].configuration;
  if (digest.empty()) digest = digest_of(spec_, parts_.config);
  reconfigured_ = !schedule_.configuration.empty() && schedule_.configuration != digest;
  schedule_.configuration = digest;
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
  const CaConfig* ca = generation ? issuer_of(*generation) : nullptr;
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
  const SavedRenewalInfo before = schedule_.renewal_info.value_or(SavedRenewalInfo{});
  SavedRenewalInfo info = before;
  if (info.fingerprint_sha256 != leaf.fingerprint_sha256) {
    info = SavedRenewalInfo{};
    info.recall_answered_at = before.recall_answered_at;
  }
  const bool recalled_before = recalled(parts_.world.clock.now());
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
  parts_.remembered[spec_.name].poll_after = info.poll_after;
  const bool as_before = schedule_.renewal_info && info.says_the_same(before);
  schedule_.renewal_info = std::move(info);
  if (recalled(parts_.world.clock.now()) && !recalled_before) note_recall(schedule_);
  if (as_before && options_.by_daemon) return ask_whether_revoked();
  save_schedule([this] { ask_whether_revoked(); });
}

void CertificateJob::tell_of_ignored_renew_before() {
  if (!outcome_.generation) return;
  const auto text = ignored_renew_before(outcome_.generation->leaf(), spec_.renew_before);
  auto& told_of = parts_.remembered[spec_.name].renew_before_ignored;
  if (text.empty() || told_of == outcome_.generation->number) return;
  told_of = outcome_.generation->number;
  parts_.events.emit(Severity::warning, spec_.name, "RENEW_BEFORE_IGNORED", text);
}

// A clock that is behind the CA's makes an old certificate look young.
Time CertificateJob::now_or_later() {
  const Time now = parts_.world.clock.now();
  const auto& generation = outcome_.generation;
  const CaConfig* ca = generation ? issuer_of(*generation) : nullptr;
  if (ca == nullptr) return now;
  const auto time_of_ca = parts_.ca(ca->name).time();
  if (!time_of_ca || *time_of_ca < now + std::chrono::hours(1)) return now;
  parts_.events.emit(Severity::warning, spec_.name, "CLOCK_BEHIND",
                     "this machine's clock is " + acme::format_duration(*time_of_ca - now) +
                         " behind " + ca->name +
                         "'s; set it (timedatectl shows whether it is synchronised)");
  return *time_of_ca;
}

void CertificateJob::decide() {
  const auto issuance = parts_.store.load_issuance(spec_.name);
  RenewalInput input{spec_, parts_.config};
  input.newest = outcome_.generation ? &*outcome_.generation : nullptr;
  input.requested = options_.force;
  input.under_way = issuance && *issuance;
  input.now = judged_at_ = now_or_later();
  if (schedule_.renewal_info) input.renewal_info = &*schedule_.renewal_info;
  if (schedule_.revocation) input.revocation = &*schedule_.revocation;
  input.failed = schedule_.failures > 0;
  input.own_public_key = own_public_key(parts_.world.files, spec_);
  const auto instead = first_to_end(true);
  if (instead) input.in_use_instead = &instead->has;
  if (outcome_.generation && !is_standby(spec_.name)) {
    lost_ = lost_generation(parts_.store.live_generation(spec_.name), outcome_.generation->number);
  }
  input.lost = lost_;
  due_ = next_renewal(input);
  outcome_.reason = due_.reason;
  if (options_.work != RenewOptions::Work::renew) return deploy_wanted();
  tell_of_ignored_renew_before();
  tell_of_recall();
  if (!due_.now) return deploy_or_probe();
  if (options_.dry_run) return end(Action::would_renew);
  take_over_or(false, [this] { renew_or_wait(); });
}

void CertificateJob::renew_or_wait() {
  const Time now = parts_.world.clock.now();
  if (options_.by_daemon && must_wait(schedule_, now)) return deploy_or_probe();
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
  // All is well for the others only: somebody has to see to the name.
  if (!left_out_.empty() && outcome_.action == Action::renewed) {
    outcome_.action = Action::failed;
    outcome_.error =
        Error{ErrorKind::validation,
              "NAME_QUARANTINED",
              join(left_out_, " ") + " left out, since it could not be proved; the others are in " +
                  "generation " + std::to_string(outcome_.generation->number) + ", valid until " +
                  acme::format_rfc3339(outcome_.generation->leaf().not_after),
              {},
              {}};
  }
  const bool proven = note_what_was_proven();
  const bool elsewhere = note_where_it_is_served();
  if (told_of_expiry() || proven || elsewhere) return save_schedule([this] { report(); });
  report();
}

// A renewal that went well to its end. What it rested on worked together, then.
bool CertificateJob::note_what_was_proven() {
  const bool whole = outcome_.issued && outcome_.action == Action::renewed && options_.deploy &&
                     !is_standby(spec_.name) && left_out_.empty();
  if (!whole) return false;
  schedule_.proven_at = parts_.world.clock.now();
  schedule_.proven = parts_of(spec_, parts_.config, parts_.world.files);
  return true;
}

// Local listeners that serve it stay expected to. Who deploys it by hand, and sees that one of them
// does not, has been told: those that are left count from then on.
bool CertificateJob::note_where_it_is_served() {
  if (options_.dry_run || outcome_.endpoints.empty()) return false;
  std::vector<std::string> places;
  if (!spec_.endpoints) {
    if (options_.work != RenewOptions::Work::deploy) places = schedule_.served_at;
    for (const EndpointState& state : outcome_.endpoints) {
      const bool known = std::find(places.begin(), places.end(), state.endpoint) != places.end();
      if (state.ok() && !known) places.push_back(state.endpoint);
    }
  }
  const bool changed = places != schedule_.served_at;
  schedule_.served_at = std::move(places);
  return changed;
}

// A person sees what a run says; for the daemon somebody has to be told.
bool CertificateJob::told_of_expiry() {
  if (!options_.by_daemon || !outcome_.generation) return false;
  const Time now = parts_.world.clock.now();
  const auto earlier = first_to_end(false);
  const int step = expiry_step(earlier, now);
  const SavedAlarm before = schedule_.alarm;
  if (step < before.step) schedule_.alarm = {};
  if (must_tell_expiry(schedule_.alarm, step, now)) {
    schedule_.alarm = {step, now};
    std::string text =
        earlier ? describe(*earlier, outcome_.generation->number, now)
                : describe_expiry(outcome_.generation->leaf(), now) + " and is not renewed";
    if (schedule_.last_error) text += ": " + schedule_.last_error->message;
    parts_.events.emit(step == 1 ? Severity::warning : Severity::error, spec_.name,
                       step == 4 ? "EXPIRED" : "EXPIRY_NEAR", text);
  }
  return !(schedule_.alarm == before);
}

// Of what ends first: the newest, or what a target has instead.
int CertificateJob::expiry_step(const std::optional<EndsEarlier>& earlier, Time now) const {
  const ExpiryDays& days = parts_.config.alerts.expiry_days;
  const acme::Certificate& newest = outcome_.generation->leaf();
  const int step = nolapse::expiry_step(newest, planned_renewal(), now, days);
  return earlier ? std::max(step, step_of(*earlier, spec_, now, days)) : step;
}

std::optional<Time> CertificateJob::next_step(const std::optional<EndsEarlier>& earlier,
                                              Time now) const {
  const ExpiryDays& days = parts_.config.alerts.expiry_days;
  auto next = next_expiry_step(outcome_.generation->leaf(), planned_renewal(), now, days);
  if (!earlier) return next;
  const acme::Certificate& leaf = earlier->has.leaf();
  const auto of_earlier =
      next_expiry_step(leaf, renewal_point(leaf, spec_.renew_before), now, days);
  if (!next || (of_earlier && *of_earlier < *next)) next = of_earlier;
  // What was taken back goes out then.
  const Time ends = little_is_left_from(leaf);
  if (earlier->taken_back && ends > now && (!next || ends < *next)) next = ends;
  return next;
}

Time CertificateJob::planned_renewal() const {
  return due_.by_time ? due_.at : renewal_point(outcome_.generation->leaf(), spec_.renew_before);
}

void CertificateJob::report() {
  const bool looked = outcome_.action == Action::not_due || outcome_.action == Action::renewed ||
                      outcome_.action == Action::deployed;
  // An operator who lists no endpoints knows; one who lists none at all may not.
  outcome_.unverified =
      looked && (outcome_.unverified || (options_.deploy && !options_.dry_run &&
                                         outcome_.endpoints.empty() && !spec_.endpoints));
  LookInput look{due_, schedule_, outcome_.deployments, parts_.world.clock.now(),
                 parts_.world.random.next()};
  look.check_interval = parts_.config.daemon.check_interval;
  look.revocation_poll = parts_.remembered[spec_.name].revocation_poll;
  // A standby is looked at as often: the one in use may be from its CA now.
  look.verifiable = outcome_.generation &&
                    (is_standby(spec_.name) || !spec_.endpoints || !spec_.endpoints->empty());
  outcome_.next_look = next_look(look);
  if (due_.by_time && !due_.now) outcome_.renews_at = due_.at;
  if (outcome_.generation) {
    const auto step = next_step(first_to_end(false), look.now);
    if (step) outcome_.next_look = std::min(outcome_.next_look, *step);
  }
  outcome_.spent->enter(TimeSpent::Phase::nolapse);
  outcome_.took = parts_.world.clock.uptime() - began_;
  done_();
}

}  // namespace nolapse
