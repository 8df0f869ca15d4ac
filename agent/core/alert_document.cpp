#include "agent/core/alert_document.h"

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

const json& list_member(const json& object, const char* name) {
  static const json none = json::array();
  const auto found = object.find(name);
  return found == object.end() || !found->is_array() ? none : *found;
}

}  // namespace

std::string write_alerts_document(const AlertState& state) {
  json open = json::array();
  for (const Alert& alert : state.open) {
    open.push_back({{"finding", finding_object(alert.finding)},
                    {"raised_at", acme::format_rfc3339(alert.raised_at)},
                    {"told_at", time_or_null(alert.told_at)}});
  }
  json silences = json::array();
  for (const Silence& silence : state.silences) {
    silences.push_back({{"what", silence.what},
                        {"until", acme::format_rfc3339(silence.until)},
                        {"why", silence.why}});
  }
  json queue = json::array();
  for (const AlertMessage& message : state.queue) {
    queue.push_back({{"channel", message.channel},
                     {"news", name_of(message.news)},
                     {"finding", finding_object(message.finding)},
                     {"at", acme::format_rfc3339(message.at)}});
  }
  json channels = json::object();
  for (const auto& [name, record] : state.channels) {
    channels[name] = {{"delivered_at", time_or_null(record.delivered_at)},
                      {"next_attempt", time_or_null(record.next_attempt)},
                      {"failing_since", time_or_null(record.failing_since)},
                      {"failures", record.failures},
                      {"error", record.error}};
  }
  return state_document({{"open", std::move(open)},
                         {"silences", std::move(silences)},
                         {"queue", std::move(queue)},
                         {"channels", std::move(channels)},
                         {"reported_until", time_or_null(state.reported_until)}});
}

Result<AlertState> read_alerts_document(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  AlertState state;
  for (const json& object : list_member(*document, "open")) {
    state.open.push_back({read_finding(acme::object_member(object, "finding")),
                          time_member(object, "raised_at").value_or(Time{}),
                          time_member(object, "told_at")});
  }
  for (const json& object : list_member(*document, "silences")) {
    state.silences.push_back({string_member(object, "what"),
                              time_member(object, "until").value_or(Time{}),
                              string_member(object, "why")});
  }
  for (const json& object : list_member(*document, "queue")) {
    state.queue.push_back({string_member(object, "channel"), news_of(string_member(object, "news")),
                           read_finding(acme::object_member(object, "finding")),
                           time_member(object, "at").value_or(Time{})});
  }
  for (const auto& [name, object] : acme::object_member(*document, "channels").items()) {
    state.channels[name] = {
        time_member(object, "delivered_at"), time_member(object, "next_attempt"),
        time_member(object, "failing_since"),
        static_cast<int>(acme::integer_member(object, "failures").value_or(0) & 0xffff),
        string_member(object, "error")};
  }
  state.reported_until = time_member(*document, "reported_until");
  return state;
}

}  // namespace nolapse
