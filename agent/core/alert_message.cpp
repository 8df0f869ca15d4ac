#include "agent/core/alert_message.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "acme/json_read.h"
#include "agent/core/alert_mail.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

using nlohmann::json;

bool is_over(const AlertMessage& message) {
  return message.news == AlertNews::resolved;
}

constexpr const char* test_code = "ALERT_TEST";

bool is_test(const AlertMessage& message) {
  return message.finding.code == test_code;
}

const char* severity_word(const AlertMessage& message) {
  if (message.news == AlertNews::trial || message.news == AlertNews::report) return "info";
  return message.finding.severity == FindingSeverity::error ? "error" : "warning";
}

// As what the channel knows the alert so far, when it is something else now. What keeps incidents
// has to close that one.
std::optional<AlertMessage> former_of(const AlertMessage& message) {
  if (!message.before) return {};
  AlertMessage former = message;
  former.news = AlertNews::resolved;
  former.before.reset();
  former.finding.code = message.before->code;
  former.finding.subject = message.before->subject;
  former.finding.severity = message.before->severity;
  return former;
}

std::string former_code(const AlertMessage& message) {
  const bool other = message.before && message.before->code != message.finding.code;
  return other ? message.before->code : std::string();
}

// Not within a character.
std::string cut(std::string text, std::size_t longest) {
  if (text.size() <= longest) return text;
  std::size_t end = longest - 4;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

acme::HttpRequest post_json(std::string url, const json& document, const std::string& token) {
  acme::HttpRequest request{
      "POST", std::move(url), {{"Content-Type", "application/json"}}, acme::dump(document)};
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  return request;
}

json object_of(const AlertMessage& message) {
  const Finding& finding = message.finding;
  return {
      {"news", name_of(message.news)},
      {"code", finding.code},
      {"former_code", former_code(message).empty() ? json(nullptr) : json(former_code(message))},
      {"certificate", finding.certificate.empty() ? json(nullptr) : json(finding.certificate)},
      {"subject", finding.subject.empty() ? json(nullptr) : json(finding.subject)},
      {"severity", severity_word(message)},
      {"summary", finding.summary},
      {"evidence", finding.evidence},
      {"fix", finding.fix},
      {"since", finding.since ? json(acme::format_rfc3339(*finding.since)) : json(nullptr)},
      {"at", acme::format_rfc3339(message.at)}};
}

// ---- the channels

AlertDelivery webhook(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                      const AlertSender& sender) {
  json list = json::array();
  for (const AlertMessage& message : messages) list.push_back(object_of(message));
  return post_json(setting_of(channel, "url"),
                   {{"schema", 1}, {"host", sender.host}, {"messages", std::move(list)}},
                   secret_of(sender, "token_file"));
}

// So many messages together that their text is not longer than the channel takes.
template <class TextOf, class Make>
std::vector<AlertParcel> text_parcels(const std::vector<AlertMessage>& messages,
                                      std::size_t longest, TextOf text_of_one, Make make) {
  std::vector<AlertParcel> parcels;
  std::string text;
  for (const AlertMessage& message : messages) {
    const std::string one = cut(text_of_one(message), longest);
    if (parcels.empty() || text.size() + 1 + one.size() > longest) {
      parcels.emplace_back();
      text = one;
    } else {
      text += "\n" + one;
    }
    AlertParcel& parcel = parcels.back();
    parcel.messages.push_back(message);
    parcel.deliveries = {make(parcel.messages, text)};
  }
  return parcels;
}

// These three begin links and names there. [Slack, "Formatting text for app surfaces"]
std::string slack_text(const AlertMessage& message) {
  std::string escaped;
  for (const char c : text_of(message)) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::vector<AlertParcel> slack(const std::vector<AlertMessage>& messages,
                               const AlertSender& sender) {
  constexpr std::size_t longest = 30000;  // of 40000, in which a character may count as several
  return text_parcels(messages, longest, slack_text,
                      [&](const std::vector<AlertMessage>&, const std::string& text) {
                        return post_json(secret_of(sender, "url_file"),
                                         {{"text", "nolapse on " + sender.host + "\n" + text}}, {});
                      });
}

// Stays the same from raised to resolved, so that the other side can put them together.
std::string incident_key(const AlertMessage& message, const AlertSender& sender) {
  const Finding& finding = message.finding;
  return ("nolapse/" + sender.host + "/" + finding.code + "/" + finding.certificate + "/" +
          finding.subject)
      .substr(0, 255);
}

AlertDelivery incident(const AlertChannel& channel, const AlertMessage& message, bool ends,
                       const AlertSender& sender) {
  const Finding& finding = message.finding;
  json event{{"routing_key", secret_of(sender, "routing_key_file")},
             {"event_action", ends ? "resolve" : "trigger"},
             {"dedup_key", incident_key(message, sender)}};
  if (!ends) {
    event["payload"] = {{"summary", headline_of(message).substr(0, 1024)},
                        {"source", sender.host},
                        {"severity", severity_word(message)},
                        {"timestamp", acme::format_rfc3339(message.at)},
                        {"component", finding.certificate},
                        {"class", finding.code},
                        {"custom_details", {{"evidence", finding.evidence}, {"fix", finding.fix}}}};
  }
  const std::string& url = setting_of(channel, "url");
  return post_json(url.empty() ? "https://events.pagerduty.com/v2/enqueue" : url, event, {});
}

AlertParcel pagerduty(const AlertChannel& channel, const AlertMessage& message,
                      const AlertSender& sender) {
  const bool ends = is_over(message) || message.news == AlertNews::trial;
  AlertParcel parcel{{message}, {}};
  if (!ends || is_test(message)) {
    parcel.deliveries.push_back(incident(channel, message, false, sender));
  }
  if (ends) parcel.deliveries.push_back(incident(channel, message, true, sender));
  const auto former = former_of(message);
  if (former && incident_key(*former, sender) != incident_key(message, sender)) {
    parcel.deliveries.push_back(incident(channel, *former, true, sender));
  }
  return parcel;
}

json labels_of(const AlertMessage& message, const AlertSender& sender) {
  return {{"alertname", message.finding.code},
          {"certificate", message.finding.certificate},
          {"subject", message.finding.subject},
          {"instance", sender.host},
          {"severity", severity_word(message)}};
}

// One that is not sent again ends by itself; so it is good until after the next repetition, and
// what stays here while this host is down stays there. A test is: it shall get through to people.
json alertmanager_alert(const AlertMessage& message, const AlertSender& sender) {
  constexpr Duration test_lasts = std::chrono::minutes(5);
  const Finding& finding = message.finding;
  Time until = message.at + sender.repeat + sender.repeat / 2;
  if (is_over(message) || message.news == AlertNews::trial) until = message.at;
  if (is_test(message)) until = message.at + test_lasts;
  return {{"labels", labels_of(message, sender)},
          {"annotations",
           {{"summary", finding.summary}, {"description", finding.evidence}, {"fix", finding.fix}}},
          {"startsAt", acme::format_rfc3339(finding.since.value_or(message.at))},
          {"endsAt", acme::format_rfc3339(until)}};
}

AlertDelivery alertmanager(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                           const AlertSender& sender) {
  json list = json::array();
  for (const AlertMessage& message : messages) {
    list.push_back(alertmanager_alert(message, sender));
    // Another severity is another alert there.
    const auto former = former_of(message);
    if (former && labels_of(*former, sender) != labels_of(message, sender)) {
      list.push_back(alertmanager_alert(*former, sender));
    }
  }
  std::string url = setting_of(channel, "url");
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/api/v2/alerts")) url += "/api/v2/alerts";
  return post_json(std::move(url), list, secret_of(sender, "token_file"));
}

AlertDelivery ntfy_request(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                           const std::string& text, const AlertSender& sender) {
  const bool error = std::string(severity_word(messages.front())) == "error";
  acme::HttpRequest request{"POST",
                            setting_of(channel, "url"),
                            {{"Title", acme::printable(headline_of(messages), 200)},
                             {"Priority", error && !is_over(messages.front()) ? "5" : "3"},
                             {"Tags", is_over(messages.front()) ? "white_check_mark" : "warning"}},
                            "on " + sender.host + "\n" + text};
  const std::string& token = secret_of(sender, "token_file");
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  return request;
}

std::vector<AlertParcel> ntfy(const AlertChannel& channel,
                              const std::vector<AlertMessage>& messages,
                              const AlertSender& sender) {
  constexpr std::size_t most_octets = 4096;  // it makes a file of what is longer
  return text_parcels(messages, most_octets - std::min<std::size_t>(sender.host.size() + 4, 300),
                      text_of,
                      [&](const std::vector<AlertMessage>& together, const std::string& text) {
                        return ntfy_request(channel, together, text, sender);
                      });
}

AlertDelivery program(const AlertChannel& channel, const AlertMessage& message,
                      const AlertSender& sender) {
  const Finding& finding = message.finding;
  ProcessSpec process;
  process.argv = {setting_of(channel, "program"), name_of(message.news)};
  process.environment = {
      {"PATH", program_path},
      {"NOLAPSE_HOST", sender.host},
      {"NOLAPSE_NEWS", name_of(message.news)},
      {"NOLAPSE_CODE", finding.code},
      {"NOLAPSE_FORMER_CODE", former_code(message)},
      {"NOLAPSE_NAME", finding.certificate},
      {"NOLAPSE_SUBJECT", finding.subject},
      {"NOLAPSE_SEVERITY", severity_word(message)},
      {"NOLAPSE_SUMMARY", acme::printable(finding.summary, 2000)},
      {"NOLAPSE_EVIDENCE", acme::printable(finding.evidence, 8000)},
      {"NOLAPSE_FIX", acme::printable(finding.fix, 2000)},
      {"NOLAPSE_SINCE", finding.since ? acme::format_rfc3339(*finding.since) : std::string()}};
  process.deadline = channel.timeout;
  return process;
}

AlertDelivery syslog(const AlertChannel& channel, const AlertMessage& message) {
  const std::string facility =
      setting_of(channel, "facility").empty() ? "daemon" : setting_of(channel, "facility");
  const bool news =
      message.news == AlertNews::trial || message.news == AlertNews::report || is_over(message);
  const std::string priority = news ? "notice" : severity_word(message);
  const std::string& fix = message.finding.fix;
  ProcessSpec process;
  process.argv = {"/usr/bin/logger",
                  "-t",
                  "nolapse",
                  "-p",
                  facility + "." + (priority == "error" ? "err" : priority),
                  "--socket-errors=on",  // else it is content without a listener
                  "--",
                  acme::printable(headline_of(message) + (fix.empty() ? fix : "; " + fix), 1000)};
  process.environment = {{"PATH", program_path}};
  process.deadline = channel.timeout;
  return process;
}

}  // namespace

std::string headline_of(const AlertMessage& message) {
  const Finding& finding = message.finding;
  if (message.news == AlertNews::trial) return finding.summary;
  if (message.news == AlertNews::report) return acme::printable(finding.summary, 400);
  const std::string label = is_over(message)                               ? "RESOLVED"
                            : finding.severity == FindingSeverity::error   ? "ERROR"
                            : finding.severity == FindingSeverity::warning ? "WARNING"
                                                                           : "UNKNOWN";
  return label + " " + finding.code + " " + acme::printable(finding.summary, 400);
}

std::string text_of(const AlertMessage& message) {
  const Finding& finding = message.finding;
  std::string text = headline_of(message) + "\n";
  if (message.news == AlertNews::report) {
    std::istringstream lines(finding.evidence);
    for (std::string line; std::getline(lines, line);) text += acme::printable(line) + "\n";
    return text;
  }
  if (message.news == AlertNews::trial || is_over(message)) return text;
  if (!former_code(message).empty()) text += "  before: " + former_code(message) + "\n";
  if (!finding.evidence.empty()) text += "  seen: " + acme::printable(finding.evidence) + "\n";
  if (!finding.fix.empty()) text += "  do:   " + acme::printable(finding.fix) + "\n";
  if (finding.since) text += "  since " + acme::format_rfc3339(*finding.since) + "\n";
  return text;
}

std::string headline_of(const std::vector<AlertMessage>& messages) {
  if (messages.size() == 1) return headline_of(messages.front());
  return headline_of(messages.front()) + " (and " + std::to_string(messages.size() - 1) + " more)";
}

std::string texts_of(const std::vector<AlertMessage>& messages) {
  std::string text;
  for (const AlertMessage& message : messages)
    text += (text.empty() ? "" : "\n") + text_of(message);
  return text;
}

const std::string& setting_of(const AlertChannel& channel, const std::string& key) {
  static const std::string none;
  const auto found = channel.settings.find(key);
  return found == channel.settings.end() ? none : found->second;
}

const std::string& secret_of(const AlertSender& sender, const std::string& key) {
  static const std::string none;
  const auto found = sender.secrets.find(key);
  return found == sender.secrets.end() ? none : found->second;
}

AlertMessage test_message(const AlertChannel& channel, Time now) {
  Finding finding{test_code, {}, {}, FindingSeverity::ok, {}, {}, {}, now};
  finding.summary = "this is a test of the alert channel " + channel.name + "; nothing is wrong";
  return {channel.name, AlertNews::trial, std::move(finding), now};
}

std::vector<AlertParcel> parcels_of(const AlertChannel& channel,
                                    const std::vector<AlertMessage>& messages,
                                    const AlertSender& sender) {
  if (channel.type == "webhook") return {{messages, {webhook(channel, messages, sender)}}};
  if (channel.type == "alertmanager") {
    return {{messages, {alertmanager(channel, messages, sender)}}};
  }
  if (channel.type == "slack") return slack(messages, sender);
  if (channel.type == "ntfy") return ntfy(channel, messages, sender);
  if (channel.type == "email") return mail_parcels(channel, messages, sender);
  std::vector<AlertParcel> parcels;
  for (const AlertMessage& message : messages) {
    if (channel.type == "pagerduty") parcels.push_back(pagerduty(channel, message, sender));
    if (channel.type == "exec") parcels.push_back({{message}, {program(channel, message, sender)}});
    if (channel.type == "syslog") parcels.push_back({{message}, {syslog(channel, message)}});
  }
  return parcels;
}

}  // namespace nolapse
