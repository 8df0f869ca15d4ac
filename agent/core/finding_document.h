// findings.json: what the daemon's self-tests found last, so that a finding keeps its beginning
// over a restart and others can read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/core/finding.h"

namespace nolapse {

struct SavedFindings {
  std::optional<Time> checked_at;       // nothing: never
  std::optional<Time> deep_checked_at;  // when it was deep, last
  std::vector<Finding> findings;        // without what is fine
};

nlohmann::json finding_object(const Finding& finding);
Finding read_finding(const nlohmann::json& object);

std::string write_findings_document(const SavedFindings& saved);
// Error: local BAD_STATE; the caller adds the path.
Result<SavedFindings> read_findings_document(std::string_view text);

}  // namespace nolapse
