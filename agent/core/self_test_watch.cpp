#include "agent/core/self_test_watch.h"

#include <algorithm>

#include "agent/core/finding_fate.h"
#include "agent/core/schedule.h"

namespace nolapse {
namespace {

constexpr Duration longest_first_wait = std::chrono::minutes(1);

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

}  // namespace

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
  request.deep = !last || now < *last || now - *last >= config_.daemon.deep_check_interval;
  run_(std::move(request), [this](Findings findings) { found(std::move(findings)); });
}

void SelfTestWatch::found(Findings findings) {
  if (stopped_) return;
  std::vector<Finding> now = findings_after(findings, saved_.findings);
  const FindingNews news = news_of(saved_.findings, now);
  for (const Finding& finding : news.raised) {
    events_.emit(event_severity(finding.severity), finding.certificate, finding.code,
                 finding.summary + (finding.evidence.empty() ? "" : ": " + finding.evidence) +
                     "; " + finding.fix);
  }
  for (const Finding& finding : news.resolved) {
    // Under another code it goes on.
    if (fate_of(finding, now).fate != Fate::over) continue;
    events_.emit(Severity::info, finding.certificate, "FINDING_RESOLVED",
                 finding.code + " is no more: " + finding.summary);
  }
  saved_.findings = std::move(now);
  saved_.checked_at = findings.at;
  ended_at_ = world_.clock.uptime();
  if (findings.deep) saved_.deep_checked_at = findings.at;
  world_.files.run(store_.save_findings(saved_), [this](Result<void> saved) {
    if (!saved) events_.emit(Severity::warning, {}, saved.error().code, saved.error().message);
  });
  follow_(saved_.findings);
  sleep();
}

}  // namespace nolapse
