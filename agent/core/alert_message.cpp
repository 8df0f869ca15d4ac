#include "agent/core/alert_message.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

#include "acme/base64url.h"
#include "acme/json_read.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

using nlohmann::json;

const std::string& setting(const AlertChannel& channel, const std::string& key) {
  static const std::string none;
  const auto found = channel.settings.find(key);
  return found == channel.settings.end() ? none : found->second;
}

const std::string& secret(const AlertSender& sender, const std::string& key) {
  static const std::string none;
  const auto found = sender.secrets.find(key);
  return found == sender.secrets.end() ? none : found->second;
}

bool is_over(const AlertMessage& message) {
  return message.news == AlertNews::resolved;
}

// Stays the same from raised to resolved, so that the other side can put them together.
std::string identity_of(const AlertMessage& message, const AlertSender& sender) {
  const Finding& finding = message.finding;
  return "nolapse/" + sender.host + "/" + finding.code + "/" + finding.certificate + "/" +
         finding.subject;
}

const char* severity_word(const AlertMessage& message) {
  if (message.news == AlertNews::trial || message.news == AlertNews::report) return "info";
  return message.finding.severity == FindingSeverity::error ? "error" : "warning";
}

acme::HttpRequest post_json(std::string url, const json& document, const std::string& token) {
  acme::HttpRequest request{
      "POST", std::move(url), {{"Content-Type", "application/json"}}, acme::dump(document)};
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  return request;
}

json object_of(const AlertMessage& message) {
  const Finding& finding = message.finding;
  return {{"news", name_of(message.news)},
          {"code", finding.code},
          {"certificate", finding.certificate.empty() ? json(nullptr) : json(finding.certificate)},
          {"subject", finding.subject.empty() ? json(nullptr) : json(finding.subject)},
          {"severity", severity_word(message)},
          {"summary", finding.summary},
          {"evidence", finding.evidence},
          {"fix", finding.fix},
          {"since", finding.since ? json(acme::format_rfc3339(*finding.since)) : json(nullptr)},
          {"at", acme::format_rfc3339(message.at)}};
}

std::string all_texts(const std::vector<AlertMessage>& messages) {
  std::string text;
  for (const AlertMessage& message : messages)
    text += (text.empty() ? "" : "\n") + text_of(message);
  return text;
}

std::string common_headline(const std::vector<AlertMessage>& messages) {
  if (messages.size() == 1) return headline_of(messages.front());
  return headline_of(messages.front()) + " (and " + std::to_string(messages.size() - 1) + " more)";
}

// "Thu, 26 Nov 2026 21:00:00 +0000". [RFC 5322 §3.3]
std::string mail_date(Time time) {
  static constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::string rfc3339 = acme::format_rfc3339(time);
  return std::string(days[std::chrono::weekday(day).c_encoding()]) + ", " + rfc3339.substr(8, 2) +
         " " + months[static_cast<unsigned>(date.month()) - 1] + " " + rfc3339.substr(0, 4) + " " +
         rfc3339.substr(11, 8) + " +0000";
}

// ---- the channels

AlertDelivery webhook(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                      const AlertSender& sender) {
  json list = json::array();
  for (const AlertMessage& message : messages) list.push_back(object_of(message));
  return post_json(setting(channel, "url"),
                   {{"schema", 1}, {"host", sender.host}, {"messages", std::move(list)}},
                   secret(sender, "token_file"));
}

AlertDelivery slack(const std::vector<AlertMessage>& messages, const AlertSender& sender) {
  return post_json(secret(sender, "url_file"),
                   {{"text", "nolapse on " + sender.host + "\n" + all_texts(messages)}}, {});
}

AlertDelivery pagerduty(const AlertChannel& channel, const AlertMessage& message,
                        const AlertSender& sender) {
  const Finding& finding = message.finding;
  const bool ends = is_over(message) || message.news == AlertNews::trial;
  json event{{"routing_key", secret(sender, "routing_key_file")},
             {"event_action", ends ? "resolve" : "trigger"},
             {"dedup_key", identity_of(message, sender).substr(0, 255)}};
  if (!ends) {
    event["payload"] = {{"summary", headline_of(message).substr(0, 1024)},
                        {"source", sender.host},
                        {"severity", severity_word(message)},
                        {"timestamp", acme::format_rfc3339(message.at)},
                        {"component", finding.certificate},
                        {"class", finding.code},
                        {"custom_details", {{"evidence", finding.evidence}, {"fix", finding.fix}}}};
  }
  const std::string& url = setting(channel, "url");
  return post_json(url.empty() ? "https://events.pagerduty.com/v2/enqueue" : url, event, {});
}

// An alert that is not sent again ends by itself; so it is good until after the next repetition.
AlertDelivery alertmanager(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                           const AlertSender& sender) {
  json list = json::array();
  for (const AlertMessage& message : messages) {
    const Finding& finding = message.finding;
    const bool ends = is_over(message) || message.news == AlertNews::trial;
    const Time until = ends ? message.at : message.at + sender.repeat + sender.repeat / 2;
    list.push_back(
        {{"labels",
          {{"alertname", finding.code},
           {"certificate", finding.certificate},
           {"subject", finding.subject},
           {"instance", sender.host},
           {"severity", severity_word(message)}}},
         {"annotations",
          {{"summary", finding.summary}, {"description", finding.evidence}, {"fix", finding.fix}}},
         {"startsAt", acme::format_rfc3339(finding.since.value_or(message.at))},
         {"endsAt", acme::format_rfc3339(until)}});
  }
  std::string url = setting(channel, "url");
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/api/v2/alerts")) url += "/api/v2/alerts";
  return post_json(std::move(url), list, secret(sender, "token_file"));
}

AlertDelivery ntfy(const AlertChannel& channel, const std::vector<AlertMessage>& messages,
                   const AlertSender& sender) {
  const bool error = std::string(severity_word(messages.front())) == "error";
  acme::HttpRequest request{"POST",
                            setting(channel, "url"),
                            {{"Title", acme::printable(common_headline(messages), 200)},
                             {"Priority", error && !is_over(messages.front()) ? "5" : "3"},
                             {"Tags", is_over(messages.front()) ? "white_check_mark" : "warning"}},
                            "on " + sender.host + "\n" + all_texts(messages)};
  const std::string& token = secret(sender, "token_file");
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  return request;
}

// Nothing in it may begin a header of its own. [RFC 5322 §2.2]
std::string header_text(const std::string& text) {
  return acme::printable(text, 200);
}

// Lines end in CRLF, and none is longer than mail may have. [RFC 5322 §2.1.1]
std::string mail_lines(const std::string& text) {
  constexpr std::size_t longest = 900;
  std::string lines;
  std::size_t length = 0;
  for (const char c : text) {
    if (c == '\r') continue;
    // Not within a character.
    const bool begins = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (c == '\n' || (length >= longest && begins)) {
      lines += "\r\n";
      length = 0;
      if (c == '\n') continue;
    }
    lines += c;
    ++length;
  }
  return lines;
}

// With padding, in lines. [RFC 2045 §6.8]
std::string base64_lines(const std::string& octets) {
  std::string encoded = acme::base64url_encode(octets);
  std::replace(encoded.begin(), encoded.end(), '-', '+');
  std::replace(encoded.begin(), encoded.end(), '_', '/');
  encoded.resize((encoded.size() + 3) / 4 * 4, '=');
  std::string lines;
  for (std::size_t at = 0; at < encoded.size(); at += 76) lines += encoded.substr(at, 76) + "\r\n";
  return lines;
}

// From the second header of the MIME body on.
constexpr const char* plain_text =
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";

MailMessage mail_to(const AlertChannel& channel, const AlertSender& sender,
                    const std::string& subject, std::size_t number, const std::string& content) {
  MailMessage mail;
  mail.server = setting(channel, "smtp");
  mail.username = setting(channel, "username");
  mail.password = secret(sender, "password_file");
  mail.roots_file = setting(channel, "roots");
  mail.from =
      setting(channel, "from").empty() ? "nolapse@" + sender.host : setting(channel, "from");
  mail.to = channel.to;
  mail.timeout = channel.timeout;
  std::string to;
  for (const std::string& recipient : channel.to) to += (to.empty() ? "" : ", ") + recipient;
  mail.content = "From: nolapse <" + mail.from + ">\r\nTo: " + to + "\r\nSubject: [nolapse] " +
                 header_text(subject) + "\r\nDate: " + mail_date(sender.now) + "\r\nMessage-ID: <" +
                 std::to_string(sender.now.time_since_epoch().count()) + "." +
                 std::to_string(sender.random + number) + "@" + sender.host +
                 ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n" + content;
  return mail;
}

// The text, and the page as a file. [RFC 2046 §5.1.3]
std::string report_body(const AlertMessage& message, const AlertSender& sender) {
  const auto found = sender.reports.find(message.finding.subject);
  const ReportAttachment report =
      found == sender.reports.end() ? ReportAttachment{} : found->second;
  std::string text = report.text.empty() ? text_of(message) : report.text;
  if (!report.note.empty()) text += "\n" + report.note + "\n";
  text = mail_lines(text + "\n\nnolapse on " + sender.host + "\n");
  if (report.page.empty()) return plain_text + text;
  const std::string boundary = "nolapse-" + std::to_string(sender.random);
  return "Content-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n\r\n--" + boundary +
         "\r\n" + plain_text + text + "\r\n--" + boundary +
         "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
         "Content-Disposition: attachment; filename=\"nolapse-" +
         header_text(message.finding.subject) + ".html\"\r\n\r\n" + base64_lines(report.page) +
         "--" + boundary + "--\r\n";
}

// One mail with all the news, and one for each report.
std::vector<AlertDelivery> email(const AlertChannel& channel,
                                 const std::vector<AlertMessage>& messages,
                                 const AlertSender& sender) {
  std::vector<AlertMessage> news;
  std::vector<AlertDelivery> mails;
  for (const AlertMessage& message : messages) {
    if (message.news != AlertNews::report) {
      news.push_back(message);
    } else {
      mails.push_back(mail_to(channel, sender, headline_of(message), mails.size() + 1,
                              report_body(message, sender)));
    }
  }
  if (news.empty()) return mails;
  mails.insert(mails.begin(), mail_to(channel, sender, common_headline(news), 0,
                                      plain_text + mail_lines(all_texts(news) + "\n\nnolapse on " +
                                                              sender.host + "\n")));
  return mails;
}

AlertDelivery program(const AlertChannel& channel, const AlertMessage& message,
                      const AlertSender& sender) {
  const Finding& finding = message.finding;
  ProcessSpec process;
  process.argv = {setting(channel, "program"), name_of(message.news)};
  process.environment = {
      {"PATH", program_path},
      {"NOLAPSE_HOST", sender.host},
      {"NOLAPSE_NEWS", name_of(message.news)},
      {"NOLAPSE_CODE", finding.code},
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
      setting(channel, "facility").empty() ? "daemon" : setting(channel, "facility");
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
  if (!finding.evidence.empty()) text += "  seen: " + acme::printable(finding.evidence) + "\n";
  if (!finding.fix.empty()) text += "  do:   " + acme::printable(finding.fix) + "\n";
  if (finding.since) text += "  since " + acme::format_rfc3339(*finding.since) + "\n";
  return text;
}

std::vector<AlertDelivery> deliveries_of(const AlertChannel& channel,
                                         const std::vector<AlertMessage>& messages,
                                         const AlertSender& sender) {
  if (channel.type == "webhook") return {webhook(channel, messages, sender)};
  if (channel.type == "slack") return {slack(messages, sender)};
  if (channel.type == "alertmanager") return {alertmanager(channel, messages, sender)};
  if (channel.type == "ntfy") return {ntfy(channel, messages, sender)};
  if (channel.type == "email") return email(channel, messages, sender);
  std::vector<AlertDelivery> deliveries;
  for (const AlertMessage& message : messages) {
    if (channel.type == "pagerduty") deliveries.push_back(pagerduty(channel, message, sender));
    if (channel.type == "exec") deliveries.push_back(program(channel, message, sender));
    if (channel.type == "syslog") deliveries.push_back(syslog(channel, message));
  }
  return deliveries;
}

}  // namespace nolapse
