#include "agent/core/alert_document.h"

#include <algorithm>
#include <array>

#include "acme/json_read.h"
#include "agent/core/finding_document.h"
#include "agent/core/state_document.h"

namespace nolapse {
namespace {

using acme::string_member;
using acme::time_member;
using nlohmann::json;

json time_or_null(const std::optional<Time>& time) {
  return time ? json(acme::format_rfc3339(*time)) : json(nullptr);
}

constexpr std::array all_news = {AlertNews::raised,   AlertNews::repeated, AlertNews::escalated,
                                 AlertNews::resolved, AlertNews::trial,    AlertNews::report};

AlertNews news_of(const std::string& name) {
  for (const AlertNews news : all_news) {
    if (name == name_of(news)) return news;
  }
  return AlertNews::raised;
}

int small_number(const json& object, const char* name) {
  return static_cast<int>(acme::integer_member(object, name).value_or(0) & 0xffff);
}

std::uint64_t id_member(const json& object, const char* name) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(acme::integer_member(object, name).value_or(0), 0));
}

// ---- what was told. It is written as a finding, of which that is all that counts.

json told_object(const Told& told) {
  Finding finding{told.code, {}, told.subject, told.severity, {}, {}, {}, told.at, told.level};
  const json whole = finding_object(finding);
  json object;
  for (const char* member : {"code", "subject", "severity", "level"})
    object[member] = whole[member];
  object["at"] = whole["since"];
  return object;
}

Told read_told(const json& object) {
  const Finding finding = read_finding(object);
  return {time_member(object, "at").value_or(Time{}), finding.code, finding.subject,
          finding.severity, finding.level};
}

// Of schema 1, in which an alert was told when it was put into all queues: the channels that have
// still to take it were not.
void tell_by_channel(json& document) {
  const auto open = document.find("open");
  if (open == document.end() || !open->is_array()) return;
  for (json& alert : *open) {
    if (!alert.is_object()) continue;
    const Finding finding = read_finding(acme::object_member(alert, "finding"));
    const auto told_at = time_member(alert, "told_at");
    json told = json::object();
    for (const auto& [channel, record] : acme::object_member(document, "channels").items()) {
      const json& queue = acme::array_member(document, "queue");
      const bool waits = std::any_of(queue.begin(), queue.end(), [&, &name = channel](auto& each) {
        return string_member(each, "channel") == name &&
               read_finding(acme::object_member(each, "finding")).same_as(finding);
      });
      if (!told_at || waits) continue;
      told[channel] =
          told_object({*told_at, finding.code, finding.subject, finding.severity, finding.level});
    }
    alert["told"] = std::move(told);
    alert.erase("told_at");
  }
}
constexpr std::array<SchemaStep, 1> steps = {tell_by_channel};

// ---- the parts

json open_array(const AlertState& state) {
  json open = json::array();
  for (const Alert& alert : state.open) {
    json told = json::object();
    for (const auto& [channel, each] : alert.told) told[channel] = told_object(each);
    open.push_back({{"id", alert.id},
                    {"finding", finding_object(alert.finding)},
                    {"raised_at", acme::format_rfc3339(alert.raised_at)},
                    {"told", std::move(told)}});
  }
  return open;
}

// A thousand messages for each of many channels: what stands at the alert is not repeated.
bool is_as_open(const AlertMessage& message, const std::map<std::uint64_t, const Alert*>& open) {
  const auto alert = open.find(message.alert);
  if (alert == open.end() || message.news == AlertNews::resolved) return false;
  const Finding& now = alert->second->finding;
  const Finding& then = message.finding;
  return now.same_as(then) && now.severity == then.severity && now.level == then.level &&
         now.since == then.since && now.summary == then.summary && now.evidence == then.evidence &&
         now.fix == then.fix;
}

json queue_array(const AlertState& state) {
  std::map<std::uint64_t, const Alert*> open;
  for (const Alert& alert : state.open) open[alert.id] = &alert;
  json queue = json::array();
  for (const AlertMessage& message : state.queue) {
    json object{{"id", message.id},
                {"channel", message.channel},
                {"news", name_of(message.news)},
                {"alert", message.alert},
                {"at", acme::format_rfc3339(message.at)}};
    if (!is_as_open(message, open)) object["finding"] = finding_object(message.finding);
    if (message.before) object["before"] = told_object(*message.before);
    if (message.refusals > 0) {
      object["refusals"] = message.refusals;
      object["refusal"] = message.refusal;
      object["next_attempt"] = time_or_null(message.next_attempt);
    }
    queue.push_back(std::move(object));
  }
  return queue;
}

void read_open(const json& document, AlertState& state) {
  for (const json& object : acme::array_member(document, "open")) {
    Alert alert{read_finding(acme::object_member(object, "finding")),
                time_member(object, "raised_at").value_or(Time{}),
                {},
                id_member(object, "id")};
    for (const auto& [channel, told] : acme::object_member(object, "told").items()) {
      alert.told[channel] = read_told(told);
    }
    state.open.push_back(std::move(alert));
  }
}

void read_queue(const json& document, AlertState& state) {
  for (const json& object : acme::array_member(document, "queue")) {
    AlertMessage message{string_member(object, "channel"), news_of(string_member(object, "news")),
                         read_finding(acme::object_member(object, "finding")),
                         time_member(object, "at").value_or(Time{})};
    message.id = id_member(object, "id");
    message.alert = id_member(object, "alert");
    const auto alert = std::find_if(state.open.begin(), state.open.end(), [&](const Alert& each) {
      return each.id != 0 && each.id == message.alert;
    });
    if (!object.contains("finding") && alert != state.open.end()) message.finding = alert->finding;
    const json& before = acme::object_member(object, "before");
    if (!before.empty()) message.before = read_told(before);
    message.refusals = small_number(object, "refusals");
    message.refusal = string_member(object, "refusal");
    message.next_attempt = time_member(object, "next_attempt");
    state.queue.push_back(std::move(message));
  }
}

bool is_of_alert(AlertNews news) {
  return news != AlertNews::trial && news != AlertNews::report;
}

// Whoever wrote none, or the same twice, shall not make two take each other's place.
void give_ids(AlertState& state) {
  for (const Alert& alert : state.open) state.last_id = std::max(state.last_id, alert.id);
  for (const AlertMessage& message : state.queue) {
    state.last_id = std::max({state.last_id, message.id, message.alert});
  }
  for (Alert& alert : state.open) {
    if (alert.id == 0) alert.id = ++state.last_id;
  }
  for (AlertMessage& message : state.queue) {
    if (message.id == 0) message.id = ++state.last_id;
    if (message.alert != 0 || !is_of_alert(message.news)) continue;
    const auto alert = std::find_if(state.open.begin(), state.open.end(), [&](const Alert& each) {
      return each.finding.same_as(message.finding);
    });
    message.alert = alert == state.open.end() ? ++state.last_id : alert->id;
  }
}

// Of the wrong kind is worse than missing: what it meant is lost.
std::optional<std::string> damage_of(const json& document) {
  for (const char* name : {"open", "silences", "queue"}) {
    const auto found = document.find(name);
    if (found == document.end()) continue;
    const bool good = found->is_array() && std::all_of(found->begin(), found->end(),
                                                       [](auto& each) { return each.is_object(); });
    if (!good) return std::string(name) + " is no list of objects";
  }
  const auto channels = document.find("channels");
  if (channels == document.end() || channels->is_object()) return {};
  return "channels is no object";
}

}  // namespace

std::string write_alerts_document(const AlertState& state) {
  json silences = json::array();
  for (const Silence& silence : state.silences) {
    silences.push_back({{"what", silence.what},
                        {"until", acme::format_rfc3339(silence.until)},
                        {"why", silence.why}});
  }
  json channels = json::object();
  for (const auto& [name, record] : state.channels) {
    channels[name] = {{"delivered_at", time_or_null(record.delivered_at)},
                      {"next_attempt", time_or_null(record.next_attempt)},
                      {"failing_since", time_or_null(record.failing_since)},
                      {"failures", record.failures},
                      {"error", record.error},
                      {"remark", record.remark}};
  }
  return state_document({{"open", open_array(state)},
                         {"silences", std::move(silences)},
                         {"queue", queue_array(state)},
                         {"channels", std::move(channels)},
                         {"reported_until", time_or_null(state.reported_until)},
                         {"last_id", state.last_id}},
                        steps);
}

Result<AlertState> read_alerts_document(std::string_view text) {
  const auto document = open_state_document(text, steps);
  if (!document) return fail(document.error());
  if (const auto damage = damage_of(*document)) {
    return fail(ErrorKind::local, "BAD_STATE", *damage);
  }
  AlertState state;
  state.last_id = id_member(*document, "last_id");
  read_open(*document, state);
  for (const json& object : acme::array_member(*document, "silences")) {
    state.silences.push_back({string_member(object, "what"),
                              time_member(object, "until").value_or(Time{}),
                              string_member(object, "why")});
  }
  read_queue(*document, state);
  for (const auto& [name, object] : acme::object_member(*document, "channels").items()) {
    state.channels[name] = {
        time_member(object, "delivered_at"),  time_member(object, "next_attempt"),
        time_member(object, "failing_since"), small_number(object, "failures"),
        string_member(object, "error"),       string_member(object, "remark")};
  }
  state.reported_until = time_member(*document, "reported_until");
  give_ids(state);
  return state;
}

}  // namespace nolapse
