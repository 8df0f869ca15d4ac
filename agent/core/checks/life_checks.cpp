// Is each certificate renewed, and where it is not, what is in the way? From the records of the
// state directory.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/expiry.h"
#include "agent/core/withheld.h"

namespace nolapse {
namespace {

constexpr Duration longest_order = std::chrono::hours(6);

std::string words_of(const std::optional<SavedError>& error) {
  if (!error) return {};
  return "at " + acme::format_rfc3339(error->at) + ", " + error->code + ": " + error->message;
}

std::string renew_now(const std::string& name) {
  return "nolapse renew --force " + name + ", which shows each step";
}

void add_renewal(const CertificateStatus& status, const std::string& subject, Time now,
                 std::vector<Finding>& findings) {
  const std::string whose =
      certificate_of(status.name) + (subject.empty() ? "" : ", its " + subject);
  const bool late =
      status.generation ? little_is_left(&status.generation->leaf(), now) : subject.empty();
  const auto add = [&](const char* code, FindingSeverity severity, std::string summary,
                       std::string evidence, std::string fix) {
    findings.push_back(
        {code, {}, subject, severity, std::move(summary), std::move(evidence), std::move(fix), {}});
  };
  if (status.renewal == RenewalHealth::missing) {
    // The first order of a section that was added just now is no alarm.
    const bool tried = status.last_error.has_value();
    add("CERTIFICATE_MISSING", late && tried ? FindingSeverity::error : FindingSeverity::warning,
        whose + ": there is no certificate yet",
        tried ? words_of(status.last_error) : "no order has come to an end yet",
        renew_now(certificate_of(status.name)));
  } else if (status.renewal == RenewalHealth::failing ||
             (status.failures > 0 && status.renewal != RenewalHealth::unknown)) {
    add("RENEWAL_FAILING", late ? FindingSeverity::error : FindingSeverity::warning,
        whose + ": its renewal has failed " + std::to_string(status.failures) + " time(s) in a row",
        words_of(status.last_error), renew_now(certificate_of(status.name)));
  } else if (status.renewal == RenewalHealth::overdue) {
    add("RENEWAL_OVERDUE", FindingSeverity::error, whose + ": it should have been renewed by now",
        "due since " + acme::format_rfc3339(status.next_attempt.value_or(now)) + ": " +
            status.renew_reason,
        renew_now(certificate_of(status.name)));
  } else if (status.renewal == RenewalHealth::unknown) {
    add("RENEWAL_UNKNOWN", FindingSeverity::unknown,
        whose + ": its records cannot be read, so nobody knows whether it will be renewed",
        "see STATE_UNREADABLE", "run `nolapse check` as root or as the user who runs nolapse");
  }
}

std::vector<Finding> check_renewal(const CheckContext& context, const CheckSubject& subject) {
  const Time now = context.world.clock.now();
  const CertificateStatus& status = context.status_of(*subject.certificate);
  std::vector<Finding> findings;
  if (status.standby) add_renewal(*status.standby, "standby", now, findings);
  // What its standby lacks is said already.
  CertificateStatus own = status;
  if (status.standby && !findings.empty() && status.failures == 0 && status.generation) {
    own.renewal = RenewalHealth::ok;
  }
  add_renewal(own, {}, now, findings);
  return findings;
}

std::vector<Finding> check_expiry(const CheckContext& context, const CheckSubject& subject) {
  const auto newest = newest_of(context, *subject.certificate);
  if (!newest) {
    return {not_known("EXPIRY_NEAR",
                      subject.certificate->name + ": nobody knows when its certificate expires",
                      newest.error())};
  }
  if (*newest == nullptr) return {};
  const CertificateSpec& spec = *subject.certificate;
  const acme::Certificate& leaf = (*newest)->leaf();
  const Time now = context.world.clock.now();
  const ExpiryDays& days = context.config.alerts.expiry_days;
  const CertificateStatus& status = context.status_of(spec);
  const auto found = [&](int step, const std::string& what, std::string evidence, std::string fix) {
    return std::vector<Finding>{{step == 4 ? "EXPIRED" : "EXPIRY_NEAR",
                                 {},
                                 {},
                                 step == 1 ? FindingSeverity::warning : FindingSeverity::error,
                                 spec.name + ": " + what,
                                 std::move(evidence),
                                 std::move(fix),
                                 {},
                                 step}};
  };
  const int step = expiry_step(leaf, renewal_point(leaf, spec.renew_before), now, days);
  const auto earlier = first_to_end(
      spec, status.deployments, **newest,
      generations_had(context.store, spec.name, status.deployments, (*newest)->number));
  const int step_of_earlier = earlier ? step_of(*earlier, spec, now, days) : 0;
  if (step_of_earlier > step) {
    return found(step_of_earlier, describe(*earlier, (*newest)->number, now),
                 "generation " + std::to_string((*newest)->number) + " is valid until " +
                     acme::format_rfc3339(leaf.not_after),
                 "nolapse deploy " + spec.name + " --target " + earlier->target);
  }
  if (step == 0) return {};
  return found(step, describe_expiry(leaf, now) + " and is not renewed",
               words_of(status.last_error), renew_now(spec.name));
}

std::vector<Finding> check_order(const CheckContext& context, const CheckSubject& subject) {
  const auto issuance = context.store.load_issuance(subject.certificate->name);
  if (!issuance) {
    return {not_known("ORDER_STUCK",
                      subject.certificate->name + ": nobody knows whether an order is under way",
                      issuance.error())};
  }
  if (!*issuance) return {};
  const Duration age = context.world.clock.now() - (*issuance)->placed_at;
  if (age < longest_order) return {};
  const std::string& name = subject.certificate->name;
  return {{"ORDER_STUCK",
           {},
           {},
           FindingSeverity::error,
           name + ": an order at " + (*issuance)->ca + " has not come to an end for " +
               acme::format_duration(age),
           (*issuance)->state.order_url,
           "nolapse renew --force " + name + ", which places a new one",
           {}}};
}

std::vector<Finding> check_deployment(const CheckContext& context, const CheckSubject& subject) {
  const std::string& name = subject.certificate->name;
  const auto newest = newest_of(context, *subject.certificate);
  const auto records = context.store.load_deployments(name);
  if (!newest || !records) {
    return {not_known("DEPLOYMENT_FAILING",
                      name + ": nobody knows what target " + subject.target->name + " has got",
                      newest ? records.error() : newest.error())};
  }
  const CertificateStatus& status = context.status_of(*subject.certificate);
  const auto found = status.deployments.find(subject.target->name);
  if (found == status.deployments.end()) {
    const bool fresh =
        !status.generation ||
        context.world.clock.now() - status.generation->issued_at < std::chrono::hours(1);
    if (fresh) return {};
    return {{"DEPLOYMENT_FAILING",
             {},
             {},
             FindingSeverity::error,
             name + ": it was never brought to target " + subject.target->name,
             "there is no record of it",
             "nolapse deploy " + name,
             {}}};
  }
  const DeploymentRecord& record = found->second;
  if (record.failures == 0) return {};
  return {{"DEPLOYMENT_FAILING",
           {},
           {},
           FindingSeverity::error,
           name + ": target " + subject.target->name + " does not get its certificate; stage " +
               name_of(record.stage) + ", " + std::to_string(record.failures) +
               " failure(s) in a row",
           words_of(record.last_error),
           "correct that, then: nolapse deploy " + name + " --target " + subject.target->name,
           {}}};
}

// A person's wish, or the target's window: no failure, and yet not what was issued last.
std::vector<Finding> check_withheld(const CheckContext& context, const CheckSubject& subject) {
  const CertificateSpec& spec = *subject.certificate;
  const DeployTarget& target = *subject.target;
  const auto newest = newest_of(context, spec);
  const auto records = context.store.load_deployments(spec.name);
  if (!newest || !records) {
    return {not_known("GENERATION_WITHHELD",
                      spec.name + ": nobody knows what target " + target.name + " is to have",
                      newest ? records.error() : newest.error())};
  }
  const auto& waits = context.status_of(spec).waits;
  const auto wait = std::find_if(waits.begin(), waits.end(), [&](const TargetWait& each) {
    return each.target == target.name;
  });
  if (wait == waits.end()) return {};
  const std::string number = std::to_string(wait->generation);
  const bool taken_back = wait->reason == TargetWait::Reason::taken_back;
  const auto older = context.store.load_generation(spec.name, wait->has);
  std::string evidence = "it has generation " + std::to_string(wait->has);
  if (!taken_back) {
    evidence += "; its window " + wait->window + " opens on " + acme::format_rfc3339(*wait->until);
  } else if (older) {
    evidence += "; generation " + number + " goes out all the same on " +
                acme::format_rfc3339(little_is_left_from(older->leaf()));
  }
  return {{"GENERATION_WITHHELD",
           {},
           {},
           taken_back ? FindingSeverity::warning : FindingSeverity::ok,
           spec.name + ": generation " + number +
               (taken_back ? " was taken back from target " : " waits for the window of target ") +
               target.name,
           evidence,
           "nolapse deploy " + spec.name + " --target " + target.name +
               (taken_back ? "; or nolapse renew --force " + spec.name + " for another one" : ""),
           {}}};
}

std::vector<Finding> check_revocation(const CheckContext& context, const CheckSubject& subject) {
  const std::string& name = subject.certificate->name;
  const auto newest = newest_of(context, *subject.certificate);
  const auto schedule = context.store.load_schedule(name);
  if (!newest || !schedule) {
    return {not_known("REVOKED", name + ": nobody knows whether the CA has revoked its certificate",
                      newest ? schedule.error() : newest.error())};
  }
  if (*newest == nullptr) return {};
  const auto finding = [&](const char* code, const std::string& what, std::string evidence) {
    return std::vector<Finding>{{code,
                                 {},
                                 {},
                                 FindingSeverity::error,
                                 name + ": " + what,
                                 std::move(evidence),
                                 renew_now(name),
                                 {}}};
  };
  const auto& revocation = schedule->revocation;
  if (revocation && is_revoked(*newest, &*revocation)) {
    return finding("REVOKED", revocation->describe(),
                   "since " + acme::format_rfc3339(revocation->revocation.at));
  }
  const auto& advice = schedule->renewal_info;
  if (advice && is_recalled(*newest, &*advice, context.world.clock.now())) {
    return finding("RECALLED", describe_recall(*advice),
                   "its age asks for a renewal at " +
                       acme::format_rfc3339(renewal_point((*newest)->leaf(), {})));
  }
  return {};
}

std::vector<Finding> check_left_proofs(const CheckContext& context, const CheckSubject& subject) {
  const auto left = context.store.load_left_proofs(subject.certificate->name);
  if (!left) {
    return {not_known("CHALLENGE_LEFT_BEHIND",
                      subject.certificate->name + ": nobody knows whether proofs were left behind",
                      left.error())};
  }
  if (left->proofs.empty()) return {};
  return {{"CHALLENGE_LEFT_BEHIND",
           {},
           {},
           FindingSeverity::warning,
           subject.certificate->name + ": proofs of control were not taken away",
           std::to_string(left->proofs.size()) + " by challenge " + left->challenge,
           "see why challenge " + left->challenge + " cannot remove them; that is tried again",
           {}}};
}

std::vector<Finding> check_orphans(const CheckContext& context, const CheckSubject&) {
  const std::string folder = context.config.state_directory + "/certificates";
  const auto there = context.world.files.list(folder);
  if (!there && there.error().code != "FILE_MISSING") {
    return {not_known("ORPHAN", "nobody knows whether there are certificates without configuration",
                      there.error())};
  }
  std::vector<Finding> findings;
  for (const std::string& name : context.store.names()) {
    if (context.statuses.contains(name)) continue;  // configured, or an orphan of the next loop
    const auto newest = context.store.newest_generation(name);
    if (newest) continue;
    findings.push_back(not_known(
        "ORPHAN", name + ": its configuration is gone, and nobody knows what there is of it",
        newest.error()));
    findings.back().certificate = name;
  }
  const Time now = context.world.clock.now();
  for (const std::string& name : context.orphans) {
    const CertificateStatus& status = context.statuses.at(name);
    if (!status.generation) continue;
    const acme::Certificate& leaf = status.generation->leaf();
    const int step = expiry_step(leaf, {}, now, context.config.alerts.expiry_days);
    findings.push_back({"ORPHAN",
                        name,
                        {},
                        step > 1 ? FindingSeverity::error : FindingSeverity::warning,
                        name + ": its configuration is gone and nobody renews it",
                        describe_expiry(leaf, now),
                        "put the configuration back, or end this: nolapse forget " + name,
                        {},
                        step});
  }
  return findings;
}

std::vector<CodePage> pages() {
  return {
      {"CERTIFICATE_MISSING", "a configured certificate was never obtained",
       "Its first order failed, or has not been placed yet.", "nolapse status NAME",
       "nolapse renew NAME, and do what it says."},
      {"RENEWAL_FAILING", "the last attempts to renew failed",
       "What the evidence says; the daemon tries again by itself, more often the less time is "
       "left.",
       "nolapse status NAME", "Remove the cause, then nolapse renew --force NAME."},
      {"RENEWAL_OVERDUE", "it is due and nobody renews it",
       "The daemon does not run, hangs, or is held up by something.",
       "systemctl status nolapse; journalctl -u nolapse",
       "nolapse renew --force NAME, then find out why the daemon did not."},
      {"RENEWAL_UNKNOWN", "nobody can say whether it will be renewed",
       "The records in the state directory cannot be read.", "ls -lR STATE_DIR/certificates/NAME",
       "Run the check as root; see STATE_UNREADABLE."},
      {"EXPIRY_NEAR", "less is left than there is when renewals go well",
       "Renewals fail or do not take place.", "nolapse status NAME",
       "nolapse renew --force NAME, and do what it says."},
      {"EXPIRED", "the newest certificate, or what a target has, has expired",
       "It was not renewed for weeks, or the new one does not reach the target.",
       "nolapse status NAME",
       "nolapse renew --force NAME; nolapse deploy NAME where the newest is a good one."},
      {"ORDER_STUCK", "an order does not come to an end",
       "The CA leaves it pending or processing, or each attempt was interrupted.",
       "nolapse status NAME; the CA's status page", "nolapse renew --force NAME"},
      {"DEPLOYMENT_FAILING", "a certificate was issued but does not reach a target",
       "The hook fails, or what it installs made the service worse and was taken back.",
       "nolapse deploy NAME --target TARGET",
       "What the evidence says; it is tried again by itself."},
      {"GENERATION_WITHHELD", "a target does not get the newest certificate for now",
       "Somebody ran `nolapse rollback NAME`, or the target has a window that is closed.",
       "nolapse status NAME",
       "nolapse deploy NAME, or a renewal with the cause removed. What was taken back goes out by "
       "itself when little is left of what the target has."},
      {"REVOKED", "the CA has revoked the certificate in use",
       "Its key was reported as compromised, or the CA issued it wrongly.", "nolapse status NAME",
       "nolapse renew --force NAME"},
      {"RECALLED", "the CA wants the certificate in use replaced at once",
       "The CA issued it wrongly or is about to revoke it; it says so by a renewal window (ARI) in "
       "the past.",
       "nolapse status NAME; the page that the finding names; the CA's status page",
       "Nothing: it is renewed at once. One whose predecessor was recalled, too, waits for a day; "
       "nolapse renew --force NAME does not."},
      {"CHALLENGE_LEFT_BEHIND", "a proof of control could not be taken away",
       "The DNS provider or the webroot refused the removal.",
       "dig TXT _acme-challenge.NAME; ls WEBROOT/.well-known/acme-challenge",
       "Nothing, if it is gone at the next look; else remove it by hand."},
      {"ORPHAN", "a certificate whose configuration is gone",
       "Its section was removed or renamed; nobody renews it any more.",
       "nolapse config check; grep -r NAME /etc/nolapse",
       "Put the section back, or nolapse forget NAME."},
  };
}

}  // namespace

CheckFamily life_checks() {
  const auto for_each = [](std::vector<const char*> codes, PlainCheck run) {
    return plain_check(std::move(codes), CheckDepth::cheap, CheckScope::certificate,
                       std::move(run));
  };
  return {
      pages(),
      {for_each({"RENEWAL_OVERDUE", "RENEWAL_FAILING", "CERTIFICATE_MISSING", "RENEWAL_UNKNOWN"},
                check_renewal),
       for_each({"EXPIRY_NEAR", "EXPIRED"}, check_expiry), for_each({"ORDER_STUCK"}, check_order),
       plain_check({"DEPLOYMENT_FAILING"}, CheckDepth::cheap, CheckScope::target, check_deployment),
       plain_check({"GENERATION_WITHHELD"}, CheckDepth::cheap, CheckScope::target, check_withheld),
       for_each({"REVOKED", "RECALLED"}, check_revocation),
       for_each({"CHALLENGE_LEFT_BEHIND"}, check_left_proofs),
       plain_check({"ORPHAN"}, CheckDepth::cheap, CheckScope::host, check_orphans)}};
}

}  // namespace nolapse
