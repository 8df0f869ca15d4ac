#include "agent/core/renewal_doubts.h"

#include <algorithm>

#include "agent/core/config_on_disk.h"
#include "agent/core/self_test_watch.h"

namespace nolapse {
namespace {

// The part of a subject behind a word, "CA zerossl" → "zerossl"; empty: it is about something else.
std::string_view subject_behind(std::string_view word, std::string_view subject) {
  return subject.starts_with(word) ? subject.substr(word.size()) : std::string_view();
}

bool is_first(std::string_view name, const std::vector<std::string>& choices) {
  return !choices.empty() && choices.front() == name;
}

Finding doubt(const char* code, FindingSeverity severity, std::string summary, std::string evidence,
              std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

void add_heartbeat(const HostEvidence& evidence, std::vector<Finding>& doubts) {
  const Heartbeat& heartbeat = evidence.heartbeat;
  if (heartbeat.is_evidence()) return;
  doubts.push_back(doubt("HEARTBEAT_OLD", FindingSeverity::unknown, heartbeat.summary,
                         heartbeat.evidence, "nolapse check"));
}

void add_findings(const CertificateSpec& spec, const Config& config, const HostEvidence& evidence,
                  std::vector<Finding>& doubts) {
  if (!evidence.findings) {
    return doubts.push_back(doubt("STATE_UNREADABLE", FindingSeverity::unknown,
                                  "nobody knows what the self-tests found",
                                  evidence.findings.error().message, "nolapse check"));
  }
  const SavedFindings& saved = *evidence.findings;
  if (!saved.checked_at) return;
  if (is_outdated(*saved.checked_at, config.daemon.check_interval, evidence.now)) {
    // Of a daemon that ended, its heartbeat tells.
    if (evidence.heartbeat.state != Heartbeat::State::beating) return;
    return doubts.push_back(
        doubt("SELF_TEST_OLD", FindingSeverity::unknown,
              "the daemon lives, but its self-tests do not end",
              "the last one ended on " + acme::format_rfc3339(*saved.checked_at),
              "see the log of nolapse"));
  }
  for (const Finding& finding : saved.findings) {
    const bool weighs =
        finding.severity == FindingSeverity::error || finding.severity == FindingSeverity::unknown;
    if (weighs && is_in_the_way(finding, spec)) doubts.push_back(finding);
  }
}

// The daemon's self-tests may have found the same.
void add_configuration(const HostEvidence& evidence, std::vector<Finding>& doubts) {
  for (const Finding& finding : evidence.configuration) {
    const bool known = std::any_of(doubts.begin(), doubts.end(),
                                   [&](const Finding& each) { return each.same_as(finding); });
    if (!known) doubts.push_back(finding);
  }
}

void add_rehearsals(const CertificateSpec& spec, const Config& config, const HostEvidence& evidence,
                    const Result<RehearsalRecords>& records, CertificateStatus& status) {
  if (!records) {
    status.doubts.push_back(doubt("REHEARSAL_OLD", FindingSeverity::unknown,
                                  "nobody knows how its last rehearsals went",
                                  records.error().message, "nolapse rehearse " + spec.name));
    status.doubts.back().certificate = spec.name;
    return;
  }
  const Generation* newest = status.generation ? &*status.generation : nullptr;
  for (const std::string& name : spec.cas) {
    const CaConfig* const ca = config.find_ca(name);
    if (ca == nullptr) continue;
    const RehearsalStanding standing =
        rehearsal_standing(*records, *ca, newest, config.daemon.rehearse_interval, evidence.now);
    status.rehearsals[name] = standing;
    auto finding = finding_on(standing, spec.name, name, evidence.now);
    if (!finding || finding->severity == FindingSeverity::ok) continue;
    // A fallback that does not work leaves the first CA.
    if (!is_first(name, spec.cas)) {
      finding->severity = FindingSeverity::warning;
    } else if (standing.state == RehearsalStanding::State::old &&
               finding->severity == FindingSeverity::error) {
      finding->severity = FindingSeverity::unknown;
    }
    finding->certificate = spec.name;
    status.doubts.push_back(std::move(*finding));
  }
}

const Finding* first_of(const std::vector<Finding>& doubts, FindingSeverity severity) {
  const auto found = std::find_if(doubts.begin(), doubts.end(), [&](const Finding& finding) {
    return finding.severity == severity;
  });
  return found == doubts.end() ? nullptr : &*found;
}

// What its own records say is worse already, except for one that is due: that goes on.
void let_it_count(CertificateStatus& status) {
  const bool well = status.renewal == RenewalHealth::ok;
  if (!well && status.renewal != RenewalHealth::due) return;
  if (const Finding* const error = first_of(status.doubts, FindingSeverity::error)) {
    status.renewal = RenewalHealth::failing;
    status.renew_reason = error->code + ": " + error->summary;
  } else if (const Finding* const unknown = first_of(status.doubts, FindingSeverity::unknown);
             unknown != nullptr && well) {
    status.renewal = RenewalHealth::unknown;
    status.renew_reason = unknown->code + ": " + unknown->summary;
  }
}

}  // namespace

HostEvidence read_host_evidence(const World& world, const Config& config) {
  const Store store(config.state_directory, world.files);
  const Time now = world.clock.now();
  return {store.load_findings(), read_heartbeat(world.files, config.state_directory, now), now, {}};
}

std::vector<Finding> configuration_doubts(const Files& files, const Config& config) {
  ConfigOnDisk on_disk(files, config.files.front(), config.state_directory);
  std::vector<Finding> doubts;
  for (const ConfigProblem& problem : on_disk.problems()) {
    // Who may not look at a hook may yet read the state, and it is another user who renews.
    if (on_disk.is_denied(problem)) continue;
    doubts.push_back(doubt("CONFIG_BROKEN", FindingSeverity::error,
                           "the configuration on the disk cannot be used", problem.text(),
                           problem.fix));
    doubts.back().subject = problem.file + ":" + std::to_string(problem.line);
  }
  return doubts;
}

const std::set<std::string_view>& codes_not_in_the_way() {
  static const std::set<std::string_view> codes = {
      // the other axis
      "NOT_SERVED", "SERVED_EXPIRED", "CHAIN_INVALID", "HANDSHAKE_FAILS", "ENDPOINT_UNREACHABLE",
      "UNVERIFIED", "DEPLOYMENT_FAILING", "GENERATION_WITHHELD",
      // judged from what they are made of
      "CERTIFICATE_MISSING", "RENEWAL_FAILING", "RENEWAL_OVERDUE", "RENEWAL_UNKNOWN", "EXPIRY_NEAR",
      "EXPIRED", "REVOKED", "ORPHAN", "REHEARSAL_FAILED", "REHEARSAL_OLD", "REHEARSAL_PARTIAL",
      "HEARTBEAT_OLD", "SELF_TEST_OLD",
      // how the present certificate is made
      "INTERMEDIATE_EXPIRES", "ISSUER_CHANGED", "KEY_REUSED", "NAMES_DIFFER", "WEAK_KEY",
      // who is told, who may look, what is left lying about
      "ALERT_CHANNELS_FEW", "ALERT_CHANNEL_FAILING", "SECRET_EXPOSED", "CONFIG_WRITABLE",
      "CONFIG_UNUSED", "STATUS_PAGE_CLOSED", "STATUS_PAGE_PUBLIC", "CHALLENGE_LEFT_BEHIND",
      "UNIT_NOT_ENABLED", "WATCHED_FILE_MISSING"};
  return codes;
}

bool is_in_the_way(const Finding& finding, const CertificateSpec& spec) {
  if (!finding.certificate.empty() && finding.certificate != spec.name) return false;
  if (const auto ca = subject_behind("CA ", finding.subject); !ca.empty()) {
    if (!is_first(ca, spec.cas)) return false;
  }
  if (const auto challenge = subject_behind("challenge ", finding.subject); !challenge.empty()) {
    if (!is_first(challenge, spec.challenges)) return false;
  }
  // Of a check that failed itself the subject is the code that it would have reported.
  const bool by_subject = finding.code == "CHECK_FAILED" || finding.code == "CHECK_TIMED_OUT";
  return !codes_not_in_the_way().contains(by_subject ? finding.subject : finding.code);
}

void weigh(CertificateStatus& status, const CertificateSpec& spec, const Config& config,
           const HostEvidence& evidence, const Result<RehearsalRecords>& rehearsals) {
  if (status.renewal == RenewalHealth::orphan) return;
  add_findings(spec, config, evidence, status.doubts);
  add_configuration(evidence, status.doubts);
  add_rehearsals(spec, config, evidence, rehearsals, status);
  add_heartbeat(evidence, status.doubts);
  std::stable_sort(
      status.doubts.begin(), status.doubts.end(),
      [](const Finding& one, const Finding& another) { return one.severity > another.severity; });
  let_it_count(status);
}

}  // namespace nolapse
