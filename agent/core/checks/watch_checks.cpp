// What somebody else renews, or should: the certificates of [[watch]], with the same codes as those
// of our own. Nobody knows when the other will renew, so the thresholds are the plain days.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/expiry.h"
#include "agent/core/watched.h"

namespace nolapse {
namespace {

constexpr const char* take_over =
    "renew it where it is renewed; or let nolapse do it, with a [[certificate]] in place of the "
    "[[watch]]";

Finding about(const WatchedCertificate& watched, const char* code, FindingSeverity severity,
              const std::string& summary, std::string fix) {
  return {code,
          watched.watch,
          watched.place(),
          severity,
          watched.watch + ": " + summary,
          watched.detail,
          std::move(fix),
          {}};
}

std::optional<Finding> finding_on(const WatchedCertificate& watched) {
  switch (watched.state) {
    case WatchedState::expired:
      return about(watched, watched.endpoint.empty() ? "EXPIRED" : "SERVED_EXPIRED",
                   FindingSeverity::error,
                   watched.endpoint.empty() ? "the certificate in " + watched.file + " has expired"
                                            : watched.place() + " serves an expired certificate",
                   take_over);
    case WatchedState::not_trusted:
      return about(watched, "CHAIN_INVALID", FindingSeverity::error,
                   watched.endpoint.empty()
                       ? "the certificate in " + watched.file + " is of no use now"
                       : "what " + watched.place() + " serves does not validate",
                   "serve the whole chain; for a private CA set `roots` of this [[watch]]");
    case WatchedState::no_handshake:
      return about(watched, "HANDSHAKE_FAILS", FindingSeverity::error,
                   watched.place() + " answers, but makes no TLS handshake",
                   "see the service's log; where TLS begins later, add !smtp or its like");
    case WatchedState::unreachable:
      return about(
          watched, "ENDPOINT_UNREACHABLE", FindingSeverity::warning,
          watched.place() + " cannot be reached from here",
          "start the service, correct `endpoints`, or the address record that leads there");
    case WatchedState::unreadable:
      return about(watched, "WATCHED_FILE_MISSING", FindingSeverity::error,
                   "there is no certificate to be read in " + watched.file,
                   "correct `files`, or who may read it");
    case WatchedState::good:
    case WatchedState::near:
      break;
  }
  return {};
}

// One for each endpoint or file, of the address where least is left: a finding keeps its identity
// while the others are renewed.
std::vector<Finding> near_expiry(const std::vector<WatchedCertificate>& all, Time now,
                                 const ExpiryDays& days) {
  std::vector<Finding> findings;
  for (const WatchedCertificate& watched : all) {
    if (!watched.leaf || now >= watched.leaf->not_after) continue;
    const int step = expiry_step(*watched.leaf, {}, now, days);
    if (step == 0) continue;
    Finding finding = about(
        watched, "EXPIRY_NEAR", step == 1 ? FindingSeverity::warning : FindingSeverity::error,
        watched.place() + ": " + describe_expiry(*watched.leaf, now) + " and has not been renewed",
        take_over);
    finding.subject = watched.endpoint.empty() ? watched.file : watched.endpoint;
    finding.level = step;
    const auto same = std::find_if(findings.begin(), findings.end(),
                                   [&](const Finding& other) { return other.same_as(finding); });
    if (same == findings.end()) {
      findings.push_back(std::move(finding));
    } else if (same->level < step) {
      *same = std::move(finding);
    }
  }
  return findings;
}

// The other renewed it, and the service still has the old one in memory.
std::vector<Finding> left_behind(const std::vector<WatchedCertificate>& all) {
  std::vector<Finding> findings;
  const auto is_file_of = [](const WatchedCertificate& file, const WatchedCertificate& served) {
    return file.endpoint.empty() && file.leaf &&
           file.leaf->subject_alternative_names == served.leaf->subject_alternative_names;
  };
  for (const WatchedCertificate& served : all) {
    if (served.endpoint.empty() || !served.leaf) continue;
    const acme::Certificate* newest = nullptr;
    const WatchedCertificate* file = nullptr;
    for (const WatchedCertificate& each : all) {
      if (!is_file_of(each, served)) continue;
      if (newest != nullptr && newest->not_after >= each.leaf->not_after) continue;
      newest = &*each.leaf;
      file = &each;
    }
    if (newest == nullptr || newest->not_after <= served.leaf->not_after) continue;
    Finding finding =
        about(served, "NOT_SERVED", FindingSeverity::error,
              served.place() + " still serves an older certificate than " + file->file + " holds",
              "reload the service");
    finding.evidence = "served until " + acme::format_rfc3339(served.leaf->not_after) +
                       ", in the file until " + acme::format_rfc3339(newest->not_after);
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<Finding> findings_on(const std::vector<WatchedCertificate>& all, Time now,
                                 const ExpiryDays& days) {
  std::vector<Finding> findings = near_expiry(all, now, days);
  for (Finding& finding : left_behind(all)) findings.push_back(std::move(finding));
  for (const WatchedCertificate& watched : all) {
    if (auto finding = finding_on(watched)) findings.push_back(std::move(*finding));
  }
  return findings;
}

void check_watched(const std::shared_ptr<const CheckContext>& context, const CheckSubject& subject,
                   const CheckReport& report) {
  look_at_watch(
      context->world, *subject.watch, context->config.alerts.expiry_days,
      [context, report](const std::vector<WatchedCertificate>& all) {
        report(findings_on(all, context->world.clock.now(), context->config.alerts.expiry_days));
      });
}

}  // namespace

CheckFamily watch_checks() {
  return {{{"WATCHED_FILE_MISSING", "a watched file holds no certificate that can be read",
            "Whoever renews it puts it elsewhere now, its place is not for this user to read, or "
            "the path of the [[watch]] is wrong.",
            "openssl x509 -in FILE -noout -enddate",
            "Correct `files` of the [[watch]], or the permissions."}},
          {{{"EXPIRY_NEAR", "EXPIRED", "SERVED_EXPIRED", "CHAIN_INVALID", "HANDSHAKE_FAILS",
             "ENDPOINT_UNREACHABLE", "NOT_SERVED", "WATCHED_FILE_MISSING"},
            CheckDepth::cheap,
            CheckScope::watch,
            check_watched}}};
}

}  // namespace nolapse
