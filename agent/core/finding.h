// What a self-test has to say: one line of what is wrong, how that was seen, and what to do. A
// finding has an identity (code, certificate, subject), so that it can be followed from the day it
// was found to the day it is gone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"

namespace nolapse {

// In the order in which they are shown, the worst last. Unknown is never taken for good.
enum class FindingSeverity { ok, unknown, warning, error };
const char* name_of(FindingSeverity severity);
Severity event_severity(FindingSeverity severity);

struct Finding {
  std::string code;         // stable, of the catalogue
  std::string certificate;  // empty: about the agent
  std::string subject;      // of several of one code: "target nginx", "192.0.2.7:443"; or empty
  FindingSeverity severity = FindingSeverity::error;
  std::string summary;   // one line
  std::string evidence;  // what was seen
  std::string fix;       // the command or edit that ends it
  std::optional<Time> since = {};
  int level = 0;  // of EXPIRY_NEAR, EXPIRED, ORPHAN: the step of expiry.h, 4 when it is over

  // Fine as far as could be seen, which is less than everything.
  bool is_partial() const { return severity == FindingSeverity::ok && !summary.empty(); }
  bool same_as(const Finding& other) const {
    return code == other.code && certificate == other.certificate && subject == other.subject;
  }
};

struct Findings {
  Time at{};  // when the self-test ended
  bool deep = false;
  std::vector<Finding> all;  // those that are ok, too; the worst first

  bool any(FindingSeverity severity) const;
};

// What was found before holds for what is found again: its `since`. The rest begins now.
void keep_since(std::vector<Finding>& now, const std::vector<Finding>& before, Time at);

// What has to be told: what is new or of another severity than before, and what is gone.
struct FindingNews {
  std::vector<Finding> raised;
  std::vector<Finding> resolved;
};
FindingNews news_of(const std::vector<Finding>& before, const std::vector<Finding>& now);

}  // namespace nolapse
