#include "agent/front/json_values.h"

#include "agent/front/check_output.h"

namespace nolapse {

using nlohmann::json;

json time_or_null(const std::optional<Time>& time) {
  return time ? json(acme::format_rfc3339(*time)) : json(nullptr);
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json finding_values(const Finding& finding) {
  return {{"code", finding.code},
          {"certificate", text_or_null(finding.certificate)},
          {"subject", text_or_null(finding.subject)},
          {"severity", name_of(finding.severity)},
          {"partial", finding.is_partial() && !is_wished_wait(finding)},
          {"waits", is_wished_wait(finding)},
          {"summary", finding.summary},
          {"evidence", finding.evidence},
          {"fix", finding.fix},
          {"since", time_or_null(finding.since)}};
}

json silence_values(const Silence& silence) {
  return {
      {"what", silence.what}, {"until", acme::format_rfc3339(silence.until)}, {"why", silence.why}};
}

json channel_values(const std::string& name, const std::string& type, const ChannelRecord& record,
                    std::size_t waiting) {
  return {{"name", name},
          {"type", type},
          {"delivered_at", time_or_null(record.delivered_at)},
          {"failing_since", time_or_null(record.failing_since)},
          {"error", text_or_null(record.error)},
          {"remark", text_or_null(record.remark)},
          {"waiting", waiting}};
}

}  // namespace nolapse
