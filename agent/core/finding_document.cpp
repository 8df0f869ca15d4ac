#include "agent/core/finding_document.h"

#include "acme/json_read.h"
#include "agent/core/state_document.h"

namespace nolapse {
namespace {

using acme::string_member;
using nlohmann::json;

json time_or_null(const std::optional<Time>& time) {
  return time ? json(acme::format_rfc3339(*time)) : json(nullptr);
}

// What a newer nolapse calls otherwise is no reason to call it fine.
FindingSeverity severity_of(const std::string& name) {
  if (name == "error") return FindingSeverity::error;
  if (name == "ok") return FindingSeverity::ok;
  return name == "warning" ? FindingSeverity::warning : FindingSeverity::unknown;
}

}  // namespace

json finding_object(const Finding& finding) {
  return {{"code", finding.code},       {"certificate", finding.certificate},
          {"subject", finding.subject}, {"severity", name_of(finding.severity)},
          {"summary", finding.summary}, {"evidence", finding.evidence},
          {"fix", finding.fix},         {"since", time_or_null(finding.since)},
          {"level", finding.level}};
}

Finding read_finding(const json& object) {
  return {string_member(object, "code"),
          string_member(object, "certificate"),
          string_member(object, "subject"),
          severity_of(string_member(object, "severity")),
          string_member(object, "summary"),
          string_member(object, "evidence"),
          string_member(object, "fix"),
          acme::time_member(object, "since"),
          static_cast<int>(acme::integer_member(object, "level").value_or(0) & 0xff)};
}

std::string write_findings_document(const SavedFindings& saved) {
  json list = json::array();
  for (const Finding& finding : saved.findings) list.push_back(finding_object(finding));
  return state_document({{"checked_at", time_or_null(saved.checked_at)},
                         {"deep_checked_at", time_or_null(saved.deep_checked_at)},
                         {"findings", std::move(list)}});
}

Result<SavedFindings> read_findings_document(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  SavedFindings saved{acme::time_member(*document, "checked_at"),
                      acme::time_member(*document, "deep_checked_at"),
                      {}};
  const auto list = document->find("findings");
  if (list == document->end() || !list->is_array()) return saved;
  for (const json& object : *list) saved.findings.push_back(read_finding(object));
  return saved;
}

}  // namespace nolapse
