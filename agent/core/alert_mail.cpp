#include "agent/core/alert_mail.h"

#include <algorithm>
#include <array>

#include "acme/base64url.h"
#include "acme/json_read.h"
#include "agent/core/alert_queue.h"

namespace nolapse {
namespace {

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
                    const std::vector<std::string>& recipients, const std::string& subject,
                    std::size_t number, const std::string& content) {
  MailMessage mail;
  mail.server = setting_of(channel, "smtp");
  mail.username = setting_of(channel, "username");
  mail.password = secret_of(sender, "password_file");
  mail.roots_file = setting_of(channel, "roots");
  mail.from =
      setting_of(channel, "from").empty() ? "nolapse@" + sender.host : setting_of(channel, "from");
  mail.to = recipients.empty() ? channel.to : recipients;
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

}  // namespace

std::vector<AlertParcel> mail_parcels(const AlertChannel& channel,
                                      const std::vector<AlertMessage>& messages,
                                      const AlertSender& sender) {
  std::map<std::vector<std::string>, AlertParcel> news;  // by recipients; empty: all
  std::vector<AlertParcel> parcels;
  for (const AlertMessage& message : messages) {
    const std::vector<std::string> left = left_to(message, channel.to);
    if (message.news != AlertNews::report) {
      news[left].messages.push_back(message);
    } else {
      parcels.push_back({{message},
                         {mail_to(channel, sender, left, headline_of(message), parcels.size() + 1,
                                  report_body(message, sender))}});
    }
  }
  for (auto each = news.rbegin(); each != news.rend(); ++each) {
    AlertParcel& parcel = each->second;
    const std::string text =
        mail_lines(texts_of(parcel.messages) + "\n\nnolapse on " + sender.host + "\n");
    parcel.deliveries = {mail_to(channel, sender, each->first, headline_of(parcel.messages),
                                 parcels.size() + 1, plain_text + text)};
    parcels.insert(parcels.begin(), std::move(parcel));
  }
  return parcels;
}

}  // namespace nolapse
