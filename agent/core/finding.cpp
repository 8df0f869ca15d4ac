#include "agent/core/finding.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace nolapse {
namespace {

// By identity: where a network fails there are as many as certificates.
class Index {
 public:
  explicit Index(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) by_identity_.emplace(identity_of(finding), &finding);
  }
  const Finding* find_same(const Finding& wanted) const {
    const auto found = by_identity_.find(identity_of(wanted));
    return found == by_identity_.end() ? nullptr : found->second;
  }

 private:
  using Identity = std::tuple<std::string_view, std::string_view, std::string_view>;
  static Identity identity_of(const Finding& finding) {
    return {finding.code, finding.certificate, finding.subject};
  }
  std::map<Identity, const Finding*> by_identity_;
};

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
  const Index index(before);
  for (Finding& finding : now) {
    const Finding* const known = index.find_same(finding);
    // What was fine and is not any more begins now, and the other way round.
    const bool goes_on = known != nullptr && is_ok(*known) == is_ok(finding);
    finding.since = goes_on ? known->since.value_or(at) : at;
  }
}

FindingNews news_of(const std::vector<Finding>& before, const std::vector<Finding>& now) {
  FindingNews news;
  const Index index_before(before);
  const Index index_now(now);
  for (const Finding& finding : now) {
    if (is_ok(finding)) continue;
    const Finding* const known = index_before.find_same(finding);
    const bool as_before =
        known != nullptr && known->severity == finding.severity && known->level == finding.level;
    if (!as_before) news.raised.push_back(finding);
  }
  for (const Finding& finding : before) {
    if (is_ok(finding)) continue;
    const Finding* const known = index_now.find_same(finding);
    if (known == nullptr || is_ok(*known)) news.resolved.push_back(finding);
  }
  return news;
}

}  // namespace nolapse
