#include "agent/core/finding.h"

#include <algorithm>

namespace nolapse {
namespace {

const Finding* find_same(const std::vector<Finding>& findings, const Finding& wanted) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& each) { return each.same_as(wanted); });
  return found == findings.end() ? nullptr : &*found;
}

bool is_ok(const Finding& finding) {
  return finding.severity == FindingSeverity::ok;
}

}  // namespace

const char* name_of(FindingSeverity severity) {
  switch (severity) {
    case FindingSeverity::ok:
      return "ok";
    case FindingSeverity::unknown:
      return "unknown";
    case FindingSeverity::warning:
      return "warning";
    case FindingSeverity::error:
      return "error";
  }
  return "unknown";
}

Severity event_severity(FindingSeverity severity) {
  if (severity == FindingSeverity::error) return Severity::error;
  return severity == FindingSeverity::ok ? Severity::info : Severity::warning;
}

bool Findings::any(FindingSeverity severity) const {
  return std::any_of(all.begin(), all.end(),
                     [&](const Finding& finding) { return finding.severity == severity; });
}

void keep_since(std::vector<Finding>& now, const std::vector<Finding>& before, Time at) {
  for (Finding& finding : now) {
    const Finding* const known = find_same(before, finding);
    // What was fine and is not any more begins now, and the other way round.
    const bool goes_on = known != nullptr && is_ok(*known) == is_ok(finding);
    finding.since = goes_on ? known->since.value_or(at) : at;
  }
}

FindingNews news_of(const std::vector<Finding>& before, const std::vector<Finding>& now) {
  FindingNews news;
  for (const Finding& finding : now) {
    if (is_ok(finding)) continue;
    const Finding* const known = find_same(before, finding);
    const bool as_before =
        known != nullptr && known->severity == finding.severity && known->level == finding.level;
    if (!as_before) news.raised.push_back(finding);
  }
  for (const Finding& finding : before) {
    if (is_ok(finding)) continue;
    const Finding* const known = find_same(now, finding);
    if (known == nullptr || is_ok(*known)) news.resolved.push_back(finding);
  }
  return news;
}

}  // namespace nolapse
