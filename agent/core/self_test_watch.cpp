#include "agent/core/self_test_watch.h"

#include <algorithm>

#include "agent/core/finding_fate.h"
#include "agent/core/schedule.h"

namespace nolapse {
namespace {

constexpr Duration longest_first_wait = std::chrono::minutes(1);
// With very many certificates, and a CA that answers late.
constexpr Duration longest_self_test = std::chrono::minutes(10);
constexpr Duration clock_tolerance = std::chrono::hours(1);

// Of a check that failed itself the subject is the code that it would have reported.
bool is_of_deep_check(const Finding& finding) {
  const auto has = [&](const Check& check) {
    return std::any_of(check.codes.begin(), check.codes.end(), [&](const char* code) {
      return finding.code == code || finding.subject == code;
    });
  };
  const auto& checks = all_checks();
  return std::any_of(checks.begin(), checks.end(), [&](const Check& check) {
    return check.depth == CheckDepth::deep && has(check);
  });
}

bool has_name(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool has_same(const std::vector<Finding>& findings, const Finding& wanted) {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& each) {
    return each.same_as(wanted) && each.severity != FindingSeverity::ok;
  });
}

// Of what is looked at: a certificate, or the CA or challenge of one.
bool is_looked_at(const Finding& finding, const DeepView& view) {
  const Config& config = view.config;
  if (!finding.certificate.empty()) {
    const bool is_watch =
        std::any_of(config.watches.begin(), config.watches.end(),
                    [&](const WatchSpec& watch) { return watch.name == finding.certificate; });
    const bool there = is_watch || config.find_certificate(finding.certificate) != nullptr;
    return there && (view.names.empty() || has_name(view.names, finding.certificate));
  }
  if (view.names.empty()) return true;
  return std::any_of(view.names.begin(), view.names.end(), [&](const std::string& name) {
    const CertificateSpec* const spec = config.find_certificate(name);
    if (spec == nullptr) return false;
    const auto is_of = [&](const char* what, const std::vector<std::string>& choices) {
      return std::any_of(choices.begin(), choices.end(), [&](const std::string& choice) {
        return finding.subject == what + choice;
      });
    };
    return is_of("CA ", spec->cas) || is_of("challenge ", spec->challenges);
  });
}

Finding outdated_finding(const Result<SavedFindings>& saved) {
  std::string evidence = "none has ended yet";
  if (!saved) {
    evidence = saved.error().message;
  } else if (saved->deep_checked_at) {
    evidence = "the last one ended on " + acme::format_rfc3339(*saved->deep_checked_at);
  }
  return {"SELF_TEST_OLD",
          {},
          {},
          FindingSeverity::unknown,
          "nobody knows whether the CAs, the proofs of control and the hooks work: the daemon's "
          "deep self-test is too old",
          std::move(evidence),
          "nolapse check --deep; see whether the daemon runs: systemctl status nolapse",
          {}};
}

}  // namespace

bool is_outdated(Time ended, Duration interval, Time now) {
  return now - ended > 2 * interval + longest_self_test || ended - now > clock_tolerance;
}

void take_over_deep(Findings& found, const Result<SavedFindings>& saved, const DeepView& view) {
  if (found.deep) return;
  const Time now = found.at;
  const auto deep_at = saved ? saved->deep_checked_at : std::nullopt;
  if (deep_at && !is_outdated(*deep_at, view.config.daemon.deep_check_interval, now)) {
    const Duration age = std::max<Duration>(now - *deep_at, Duration{0});
    for (Finding finding : saved->findings) {
      if (!is_of_deep_check(finding) || !is_looked_at(finding, view)) continue;
      if (has_same(found.all, finding)) continue;
      finding.evidence += (finding.evidence.empty() ? "" : "; ");
      finding.evidence +=
          "seen by the daemon's deep self-test " + acme::format_duration(age) + " ago";
      found.all.push_back(std::move(finding));
    }
  } else if (view.expected_since && now - *view.expected_since > 2 * longest_self_test) {
    found.all.push_back(outdated_finding(saved));
  }
  worst_first(found.all);
}

std::vector<Finding> findings_after(const Findings& found, const std::vector<Finding>& before) {
  std::vector<Finding> now;
  for (const Finding& finding : found.all) {
    if (finding.severity != FindingSeverity::ok) now.push_back(finding);
  }
  keep_since(now, before, found.at);
  const std::vector<Finding> seen = now;
  for (const Finding& finding : before) {
    const bool again = std::any_of(seen.begin(), seen.end(),
                                   [&](const Finding& each) { return each.same_as(finding); });
    if (again) continue;
    const bool not_asked = !found.deep && is_of_deep_check(finding);
    if (not_asked || fate_of(finding, seen).fate == Fate::unseen) now.push_back(finding);
  }
  return now;
}

SelfTestWatch::SelfTestWatch(World world, const Config& config, const Store& store,
                             EventStream& events, Run run, Follow follow)
    : world_(world),
      config_(config),
      store_(store),
      events_(events),
      run_(std::move(run)),
      follow_(std::move(follow)) {}

void SelfTestWatch::start() {
  auto saved = store_.load_findings();
  if (saved) {
    saved_ = std::move(*saved);
  } else {
    events_.emit(Severity::warning, {}, "STATE_UNREADABLE",
                 saved.error().message + "; findings begin anew");
  }
  world_.clock.start_timer(std::min(config_.daemon.check_interval, longest_first_wait),
                           [this] { wake(); });
}

void SelfTestWatch::sleep() {
  const Duration pause = spread(config_.daemon.check_interval, world_.random.next());
  world_.clock.start_timer(pause, [this] { wake(); });
}

void SelfTestWatch::wake() {
  if (stopped_) return;
  const Time now = world_.clock.now();
  const auto& last = saved_.deep_checked_at;
  SelfTestRequest request;
  request.only_faults = true;
  request.deep = !last || now < *last || now - *last >= config_.daemon.deep_check_interval;
  run_(std::move(request), [this](const Findings& findings) { found(findings); });
}

void SelfTestWatch::found(const Findings& findings) {
  if (stopped_) return;
  saved_.checked_at = findings.at;
  if (findings.deep) saved_.deep_checked_at = findings.at;
  ended_at_ = world_.clock.uptime();
  hold(findings_after(findings, saved_.findings));
  sleep();
}

void SelfTestWatch::take_up(const Findings& findings, const std::vector<std::string>& names) {
  // Before the first of its own nothing is known that this could change.
  if (stopped_ || !saved_.checked_at) return;
  std::vector<Finding> now = findings_after(findings, saved_.findings);
  if (names.empty()) {
    saved_.deep_checked_at = findings.at;
  } else {
    for (const Finding& finding : saved_.findings) {
      if (!has_name(names, finding.certificate) && !has_same(now, finding)) now.push_back(finding);
    }
  }
  hold(std::move(now));
}

// From now on that is found: told, saved, and followed by the alerts.
void SelfTestWatch::hold(std::vector<Finding> now) {
  const FindingNews news = news_of(saved_.findings, now);
  for (const Finding& finding : news.raised) {
    events_.emit(event_severity(finding.severity), finding.certificate, finding.code,
                 finding.summary + (finding.evidence.empty() ? "" : ": " + finding.evidence) +
                     "; " + finding.fix);
  }
  for (const Finding& finding : news.resolved) {
    // Under another code it goes on.
    if (fate_of(finding, now).fate != Fate::over) continue;
    if (has_left(finding, config_)) {
      events_.emit(Severity::warning, finding.certificate, "NOT_WATCHED",
                   finding.code +
                       " is not watched any more, the certificate has left the "
                       "configuration; last known: " +
                       finding.summary);
      continue;
    }
    events_.emit(Severity::info, finding.certificate, "FINDING_RESOLVED",
                 finding.code + " is no more: " + finding.summary);
  }
  saved_.findings = std::move(now);
  world_.files.run(store_.save_findings(saved_), [this](Result<void> saved) {
    if (!saved) events_.emit(Severity::warning, {}, saved.error().code, saved.error().message);
  });
  follow_(saved_.findings);
}

}  // namespace nolapse
