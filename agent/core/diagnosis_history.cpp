#include "agent/core/diagnosis_history.h"

#include <algorithm>

#include "acme/json_read.h"

namespace nolapse {
namespace {

constexpr std::size_t months_read = 4;
constexpr std::size_t findings_shown = 3;
constexpr std::size_t longest_text = 240;

std::string short_text(const std::string& code, const std::string& text) {
  return acme::printable(code + ": " + text, longest_text);
}

std::string events_of(const std::string& state_directory, const Files& files) {
  const std::string directory = state_directory + "/events";
  auto months = files.list(directory);
  if (!months) return {};
  std::sort(months->begin(), months->end());
  std::string lines;
  const std::size_t skipped = months->size() - std::min(months->size(), months_read);
  for (std::size_t i = skipped; i < months->size(); ++i) {
    lines += files.read(directory + "/" + (*months)[i]).value_or("") + "\n";
  }
  return lines;
}

void add_schedule(const std::string& name, const Store& store,
                  std::vector<TimelineEntry>& history) {
  const auto newest = store.newest_generation(name);
  if (newest && *newest && (*newest)->issued_at != Time{}) {
    history.push_back(
        {(*newest)->issued_at, "generation " + std::to_string((*newest)->number) + " was issued" +
                                   ((*newest)->ca.empty() ? "" : " by " + (*newest)->ca)});
  }
  const auto schedule = store.load_schedule(name);
  if (!schedule) return;
  if (schedule->proven_at) {
    history.push_back({*schedule->proven_at, "last renewal that went well, deployment and all"});
  }
  if (schedule->last_error) {
    history.push_back({schedule->last_error->at,
                       "last failure (" + std::to_string(schedule->failures) + " in a row): " +
                           short_text(schedule->last_error->code, schedule->last_error->message)});
  }
}

void add_deployments(const std::string& name, const Store& store,
                     std::vector<TimelineEntry>& history) {
  const auto deployments = store.load_deployments(name);
  if (!deployments) return;
  for (const auto& [target, record] : *deployments) {
    if (!record.last_error) continue;
    history.push_back({record.last_error->at,
                       "target " + target + " is " + name_of(record.stage) + ": " +
                           short_text(record.last_error->code, record.last_error->message)});
  }
}

void add_findings(const std::string& name, const Store& store,
                  std::vector<TimelineEntry>& history) {
  std::size_t shown = 0;
  const auto saved = store.load_findings();
  if (saved) {
    for (const Finding& finding : saved->findings) {
      if (finding.certificate != name || !finding.since || ++shown > findings_shown) continue;
      history.push_back({*finding.since, "found " + short_text(finding.code, finding.summary)});
    }
  }
  const auto alerts = store.load_alerts();
  if (!alerts) return;
  const Alert* first = nullptr;
  for (const Alert& alert : alerts->open) {
    if (alert.finding.certificate != name || !alert.told_at) continue;
    if (first == nullptr || *alert.told_at < *first->told_at) first = &alert;
  }
  if (first != nullptr) {
    history.push_back({*first->told_at, "somebody was told of " + first->finding.code});
  }
}

}  // namespace

std::vector<TimelineEntry> history_in_events(const std::string& name, const std::string& lines) {
  std::optional<TimelineEntry> trouble;
  const std::string mark = "\"" + name + "\"";
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    const std::string_view line = std::string_view(lines).substr(begin, end - begin);
    begin = end + 1;
    if (line.find(mark) == std::string_view::npos) continue;
    const auto event = acme::parse_object(line, "an event");
    if (!event || acme::string_member(*event, "certificate") != name) continue;
    if (!acme::string_member(*event, "series").empty()) continue;
    const std::string code = acme::string_member(*event, "code");
    const auto at = acme::time_member(*event, "at");
    if (code == "CERTIFICATE_ISSUED") {
      trouble.reset();
    } else if (at && !trouble && acme::string_member(*event, "severity") == "error") {
      trouble = TimelineEntry{
          *at, "first trouble: " + short_text(code, acme::string_member(*event, "message"))};
    }
  }
  if (!trouble) return {};
  return {std::move(*trouble)};
}

std::vector<TimelineEntry> history_of(const std::string& name, const std::string& state_directory,
                                      const Files& files) {
  const Store store(state_directory, files);
  auto history = history_in_events(name, events_of(state_directory, files));
  add_schedule(name, store, history);
  add_deployments(name, store, history);
  add_findings(name, store, history);
  return history;
}

}  // namespace nolapse
