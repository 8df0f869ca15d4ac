#include "agent/core/diagnosis_history.h"

#include <algorithm>
#include <array>

#include "acme/json_read.h"

namespace nolapse {
namespace {

constexpr std::size_t months_read = 4;
constexpr std::size_t findings_shown = 3;
constexpr std::size_t longest_text = 160;
constexpr std::size_t longest_obstacle = 400;  // with what to do about it

// Codes, or their beginnings: what an expired certificate looks like, and what is no need of a
// renewal.
constexpr std::array consequences = {"EXPIRED",    "EXPIRY_",      "SERVED_",     "NOT_SERVED",
                                     "CHAIN_",     "HANDSHAKE_",   "ENDPOINT_",   "UNVERIFIED",
                                     "RENEWAL_",   "CERTIFICATE_", "DEPLOYMENT_", "ORDER_STUCK",
                                     "REHEARSAL_", "CHANGED_",     "ALERT_"};
// Of what all certificates need.
constexpr std::array shared_needs = {"CA_", "DISK_", "STATE_", "CLOCK_"};

template <std::size_t size>
bool any_begins(const std::array<const char*, size>& beginnings, const std::string& code) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const char* each) { return code.starts_with(each); });
}

// Findings and events name their certificate first; whoever reads this knows which one it is.
std::string without_name(const std::string& name, const std::string& text) {
  return text.starts_with(name + ": ") ? text.substr(name.size() + 2) : text;
}

std::string shortened(const std::string& text, std::size_t longest) {
  if (text.size() <= longest) return acme::printable(text);
  std::size_t end = longest;
  // Not within a character of UTF-8.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return acme::printable(text.substr(0, end)) + "…";
}

std::string short_text(const std::string& name, const std::string& code, const std::string& text) {
  return shortened(code + ": " + without_name(name, text), longest_text);
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
    history.push_back(
        {schedule->last_error->at,
         "last failure (" + std::to_string(schedule->failures) + " in a row): " +
             short_text(name, schedule->last_error->code, schedule->last_error->message)});
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
                           short_text(name, record.last_error->code, record.last_error->message)});
  }
}

bool is_told(const std::vector<TimelineEntry>& history, const std::string& code) {
  return std::any_of(history.begin(), history.end(), [&](const TimelineEntry& each) {
    return each.what.find(" " + code + ":") != std::string::npos;
  });
}

void add_findings(const std::string& name, const Store& store,
                  std::vector<TimelineEntry>& history) {
  std::size_t shown = 0;
  const auto saved = store.load_findings();
  if (saved) {
    for (const Finding& finding : saved->findings) {
      const bool is_news =
          finding.certificate == name && finding.since && !is_told(history, finding.code);
      if (!is_news || ++shown > findings_shown) continue;
      history.push_back(
          {*finding.since, "found " + short_text(name, finding.code, finding.summary)});
    }
  }
  const auto alerts = store.load_alerts();
  if (!alerts) return;
  const Alert* first = nullptr;
  std::optional<Time> told_at;
  for (const Alert& alert : alerts->open) {
    const auto told = alert.told_at();
    if (alert.finding.certificate != name || !told || (told_at && *told_at <= *told)) continue;
    told_at = told;
    first = &alert;
  }
  if (first != nullptr) {
    history.push_back({*told_at, "somebody was told of " + first->finding.code});
  }
}

}  // namespace

std::vector<std::string> obstacles_to(const std::string& name, const Store& store) {
  std::vector<std::string> obstacles;
  const auto saved = store.load_findings();
  if (!saved) return obstacles;
  for (const Finding& finding : saved->findings) {
    const bool is_shared = finding.certificate.empty() && any_begins(shared_needs, finding.code);
    const bool is_its_own = finding.certificate == name && !any_begins(consequences, finding.code);
    if (finding.severity != FindingSeverity::error || !(is_shared || is_its_own)) continue;
    obstacles.push_back(
        shortened(finding.code + ": " + without_name(name, finding.summary) + "; " + finding.fix,
                  longest_obstacle));
    if (obstacles.size() == findings_shown) break;
  }
  return obstacles;
}

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
          *at, "first trouble: " + short_text(name, code, acme::string_member(*event, "message"))};
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
