// The page of a report: one file, no script, nothing from elsewhere.
#include <algorithm>

#include "agent/front/html.h"
#include "agent/front/report_output.h"
#include "agent/front/report_style.h"

namespace nolapse {
namespace {

// What is shown at once; the rest of a table is folded.
constexpr std::size_t most_in_table = 200;
constexpr std::size_t most_incidents = 100;
constexpr std::size_t most_moments = 60;

std::string escaped(const std::string& text, std::size_t limit = 400) {
  return html_escaped(text, limit);
}

// "2026-11-26 21:00" for people, the whole instant for programs. All times are UTC.
std::string time_element(Time time) {
  const std::string text = acme::format_rfc3339(time);
  return "<time datetime=\"" + text + "\">" + text.substr(0, 10) + " " + text.substr(11, 5) +
         "</time>";
}

std::string day_element(const std::optional<Time>& time) {
  if (!time) return "–";
  const std::string text = acme::format_rfc3339(*time);
  return "<time datetime=\"" + text + "\">" + text.substr(0, 10) + "</time>";
}

std::string badge(const std::string& kind, const std::string& text) {
  return "<span class=\"badge " + kind + "\">" + text + "</span>";
}

std::string badge(Judgement judgement) {
  const char* const text = judgement == Judgement::fine        ? "fine"
                           : judgement == Judgement::attention ? "needs attention"
                                                               : "unknown";
  return badge(name_of(judgement), text);
}

std::string kind_of_severity(FindingSeverity severity) {
  if (severity == FindingSeverity::error) return "attention";
  return severity == FindingSeverity::ok ? "fine" : "unknown";
}

std::string fix_line(const std::string& fix) {
  return fix.empty() ? std::string() : "<p class=\"fix\">Do: <code>" + escaped(fix) + "</code></p>";
}

std::string section(const char* id, const char* title, const std::string& content) {
  if (content.empty()) return {};
  return std::string("<section id=\"") + id + "\" aria-labelledby=\"" + id + "-title\"><h2 id=\"" +
         id + "-title\">" + title + "</h2>\n" + content + "</section>\n";
}

// ---- what needs attention

std::string attention_section(const Report& report) {
  std::string html;
  std::size_t left = 0;
  std::size_t shown = 0;
  for (const ReportedCertificate& certificate : report.certificates) {
    if (certificate.judgement == Judgement::fine) continue;
    if (++shown > most_in_table) {
      ++left;
      continue;
    }
    html += std::string("<article class=\"card ") + name_of(certificate.judgement) + "\"><h3>" +
            escaped(certificate.status.name) + " " + badge(certificate.judgement) + "</h3><p>" +
            escaped(certificate.why) + "</p>" + fix_line(certificate.fix) + "</article>\n";
  }
  for (const ReportedWatch& watch : report.watched) {
    if (watch.ok && watch.step == 0) continue;
    html += "<article class=\"card attention\"><h3>" + escaped(watch.name) + " " +
            badge(Judgement::attention) + "</h3><p>Others renew it. " + escaped(watch.place) + " " +
            escaped(watch.detail) + "</p></article>\n";
  }
  if (left > 0) html += "<p>… and " + std::to_string(left) + " more, in the table.</p>";
  return html;
}

// ---- the picture

std::string timeline_section(const Report& report) {
  const std::string picture = report_timeline(report);
  if (picture.empty()) return {};
  const std::size_t left =
      report.certificates.size() - std::min(report.certificates.size(), certificates_in_timeline);
  return "<figure><div class=\"scroll\" role=\"region\" aria-label=\"Timeline\" tabindex=\"0\">" +
         picture +
         "</div><figcaption><ul class=\"legend\">"
         "<li><svg width=\"26\" height=\"12\" aria-hidden=\"true\"><rect class=\"bar\" y=\"1\" "
         "width=\"24\" height=\"10\" rx=\"2\"/></svg> lifetime</li>"
         "<li><svg width=\"26\" height=\"12\" aria-hidden=\"true\"><rect class=\"bar old\" y=\"3\" "
         "width=\"24\" height=\"6\" rx=\"2\"/></svg> an earlier one</li>"
         "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><circle class=\"renewed\" "
         "cx=\"6\" cy=\"6\" r=\"4.5\"/></svg> renewed</li>"
         "<li><svg width=\"14\" height=\"14\" aria-hidden=\"true\"><path class=\"planned\" "
         "d=\"M7 1l6 6l-6 6l-6 -6z\"/></svg> next renewal</li>"
         "<li><svg width=\"8\" height=\"16\" aria-hidden=\"true\"><line class=\"threshold\" "
         "x1=\"4\" y1=\"0\" x2=\"4\" y2=\"16\"/></svg> somebody is told from here on</li>"
         "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><g class=\"failed\"><path "
         "d=\"M2 2l8 8m0 -8l-8 8\"/></g></svg> failed</li></ul>" +
         (left > 0 ? "<p>The " + std::to_string(certificates_in_timeline) +
                         " most urgent are shown; the other " + std::to_string(left) +
                         " are in the table.</p>"
                   : std::string()) +
         "</figcaption></figure>\n";
}

// ---- what happened

std::string moment_item(const ReportMoment& moment) {
  std::string html = "<li class=\"" + std::string(name_of(moment.kind)) + "\">" +
                     time_element(moment.at) + " <strong>" + words_of(moment.kind) + "</strong> " +
                     "<code>" + escaped(moment.code, 60) + "</code> " + escaped(moment.message);
  if (moment.count > 1) {
    html += " <em>" + std::to_string(moment.count) + " times, until " + time_element(moment.last) +
            "</em>";
  }
  return html + "</li>\n";
}

std::string story_list(const ReportMoments& story, unsigned left_out) {
  std::string html = "<ol class=\"story\">\n";
  const std::size_t skipped = story.size() > most_moments ? story.size() - most_moments : 0;
  const std::size_t earlier = skipped + left_out;
  if (earlier > 0) html += "<li>… " + std::to_string(earlier) + " earlier ones</li>";
  for (std::size_t i = skipped; i < story.size(); ++i) html += moment_item(story[i]);
  return html + "</ol>";
}

std::string fold(const std::string& summary, const std::string& content, bool open = false) {
  return std::string("<details") + (open ? " open" : "") + "><summary>" + summary + "</summary>" +
         content + "</details>\n";
}

std::string incidents_section(const Report& report) {
  std::string html;
  std::size_t left = 0;
  std::size_t shown = 0;
  for (const ReportedCertificate& certificate : report.certificates) {
    const ReportMoments incident = incident_of(report, certificate);
    if (incident.empty()) continue;
    if (shown == most_incidents) {
      ++left;
      continue;
    }
    html += fold(
        escaped(certificate.status.name) + " – " + std::to_string(incident.size()) + " moments",
        story_list(incident, certificate.left_out), shown++ < 5);
  }
  for (const ReportedOther& other : report.others) {
    html += fold(escaped(other.name) + (other.watched ? " – renewed by others" : " – is no more"),
                 story_list(other.story, 0));
  }
  if (left > 0) html += "<p>… and of " + std::to_string(left) + " more.</p>";
  return html.empty() ? "<p>Nothing went wrong.</p>" : html;
}

// ---- the certificates

std::string rehearsals_cell(const ReportedCertificate& certificate) {
  std::string html;
  for (const auto& [ca, record] : certificate.records.rehearsals) {
    html += (html.empty() ? "" : "<br>") + escaped(ca, 60) + " " + day_element(record.at) + " " +
            name_of(record.result);
  }
  return html.empty() ? "–" : html;
}

std::string certificate_row(const ReportedCertificate& certificate) {
  const CertificateStatus& status = certificate.status;
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(status.domains.size(), 3); ++i) {
    names += (i > 0 ? ", " : "") + status.domains[i].value;
  }
  if (status.domains.size() > 3) names += " +" + std::to_string(status.domains.size() - 3);
  const acme::Certificate* const leaf = certificate.leaf();
  const Tally& tally = certificate.tally;
  std::string html = "<tr><th scope=\"row\">" + escaped(status.name) + "<small>" + escaped(names) +
                     "</small></th><td>" + badge(certificate.judgement) + "</td><td>" +
                     name_of(status.serving) + "</td><td>" + name_of(status.renewal) + "</td><td>" +
                     day_element(leaf != nullptr ? std::optional(leaf->not_after) : std::nullopt) +
                     "</td><td>" + day_element(certificate.records.planned_renewal) +
                     "</td><td class=\"wide\">" + escaped(status.ca, 60) +
                     "</td><td class=\"wide\">" + std::to_string(tally.renewed) + " / " +
                     std::to_string(tally.failed) + "</td><td class=\"wide\">" +
                     rehearsals_cell(certificate) + "</td></tr>\n";
  return html;
}

std::string table(const char* id, const std::string& caption, const std::string& head,
                  const std::string& rows) {
  return std::string("<div class=\"scroll\" role=\"region\" aria-labelledby=\"") + id +
         "\" tabindex=\"0\"><table><caption id=\"" + id + "\">" + caption +
         "</caption><thead><tr>" + head + "</tr></thead><tbody>\n" + rows +
         "</tbody></table></div>\n";
}

std::string heads(std::initializer_list<const char*> names, std::size_t narrow) {
  std::string html;
  std::size_t index = 0;
  for (const char* name : names) {
    html += std::string("<th scope=\"col\"") + (index++ >= narrow ? " class=\"wide\"" : "") + ">" +
            name + "</th>";
  }
  return html;
}

std::string certificates_section(const Report& report) {
  if (report.certificates.empty()) return {};
  const std::string head = heads({"Certificate", "Verdict", "Serving", "Renewal", "Expires",
                                  "Renews", "CA", "Renewed / failed", "Rehearsed"},
                                 6);
  std::string first;
  std::string rest;
  for (std::size_t i = 0; i < report.certificates.size(); ++i) {
    (i < most_in_table ? first : rest) += certificate_row(report.certificates[i]);
  }
  std::string html =
      table("certificates-caption", "The most urgent first; times are UTC", head, first);
  if (!rest.empty()) {
    const std::string left = std::to_string(report.certificates.size() - most_in_table);
    html += fold("The other " + left,
                 table("certificates-more", "The other " + left + " certificates", head, rest));
  }
  return html;
}

std::string watched_section(const Report& report) {
  std::string rows;
  for (const ReportedWatch& watch : report.watched) {
    const bool fine = watch.ok && watch.step == 0;
    rows += "<tr><th scope=\"row\">" + escaped(watch.name) + "</th><td>" +
            badge(fine ? Judgement::fine : Judgement::attention) + "</td><td>" +
            escaped(watch.place) + "</td><td>" + day_element(watch.not_after) +
            "</td><td class=\"wide\">" + escaped(watch.issuer) + "</td><td class=\"wide\">" +
            escaped(watch.detail) + "</td></tr>\n";
  }
  if (rows.empty()) return {};
  return table("watched-caption", "Looked at here, renewed by others",
               heads({"Name", "Verdict", "Where", "Expires", "Issuer", "Seen"}, 4), rows);
}

std::string drift_section(const Report& report) {
  std::string html;
  for (const ReportedCertificate& certificate : report.certificates) {
    for (const std::string& each : certificate.drift) {
      html += "<li><strong>" + escaped(certificate.status.name) + "</strong> " + escaped(each) +
              "</li>\n";
    }
  }
  return html.empty() ? html : "<ul>" + html + "</ul>";
}

// ---- this host

std::string finding_item(const Finding& finding) {
  std::string html = "<li>" + badge(kind_of_severity(finding.severity), name_of(finding.severity)) +
                     " <code>" + escaped(finding.code, 60) + "</code> " + escaped(finding.summary) +
                     fix_line(finding.fix);
  if (finding.since) html += "<p class=\"meta\">since " + time_element(*finding.since) + "</p>";
  return html + "</li>\n";
}

std::string findings_section(const Report& report) {
  std::string html;
  for (const Finding& finding : report.host_findings) html += finding_item(finding);
  for (const ReportedCertificate& certificate : report.certificates) {
    for (const Finding& finding : certificate.open) html += finding_item(finding);
  }
  html = html.empty() ? "<p>Nothing is found.</p>" : "<ul class=\"findings\">" + html + "</ul>";
  html += "<p class=\"meta\">";
  html += report.self_tested_at
              ? "The daemon's last self-test: " + time_element(*report.self_tested_at)
              : "No daemon has tested anything yet; <code>nolapse check</code> "
                "does it now";
  return html + "</p>";
}

std::string alert_item(const ReportedAlert& each) {
  std::string html = "<li><code>" + escaped(each.alert.finding.code, 60) + "</code> " +
                     escaped(each.alert.finding.summary) + "; open since " +
                     time_element(each.alert.raised_at);
  html += each.alert.told_at() ? ", told " + time_element(*each.alert.told_at()) : ", not told";
  if (each.silence) {
    html +=
        ", silent until " + time_element(each.silence->until) + ": " + escaped(each.silence->why);
  }
  return html + "</li>\n";
}

std::string alerts_section(const Report& report) {
  std::string html;
  for (const ReportedAlert& each : report.alerts) html += alert_item(each);
  html = html.empty() ? "<p>No alert is open.</p>" : "<ul>" + html + "</ul>";
  if (report.channels.empty()) return html + "<p>There is no channel: nobody is told.</p>";
  std::string rows;
  for (const ReportedChannel& channel : report.channels) {
    const bool fails = channel.record.failures > 0;
    rows += "<tr><th scope=\"row\">" + escaped(channel.name, 60) + "</th><td>" +
            escaped(channel.type, 60) + "</td><td>" +
            (fails ? badge(Judgement::attention) : badge(Judgement::fine)) + "</td><td>" +
            day_element(channel.record.delivered_at) + "</td><td class=\"wide\">" +
            (fails ? escaped(channel.record.error) : std::string("–")) + "</td></tr>\n";
  }
  return html + table("channels-caption", "Channels",
                      heads({"Channel", "Type", "State", "Delivered last", "Error"}, 4), rows);
}

std::string record_section(const Report& report) {
  std::string html = "<ul>";
  for (const ReportedMonth& month : report.months) {
    html += "<li>" + month.month + ": ";
    if (month.record == MonthRecord::none) html += "no record";
    if (month.record == MonthRecord::events) html += "from its events";
    if (month.record == MonthRecord::kept_report) html += "from the report that was kept of it";
    if (month.torn_lines > 0) {
      html += "; torn lines that are left out: " + std::to_string(month.torn_lines);
    }
    html += "</li>";
  }
  for (const std::string& problem : report.problems) {
    html += "<li>" + escaped(problem) + "</li>";
  }
  html += "</ul>";
  if (!report.host_story.empty()) {
    html += fold("What was told of this host", story_list(report.host_story, report.host_left_out));
  }
  return html;
}

// ---- the frame

std::string head(const Report& report, PageKind kind) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n";
  if (kind == PageKind::live) html += "<meta http-equiv=\"refresh\" content=\"60\">\n";
  // Browsers ask for one at the server's root otherwise.
  html += "<link rel=\"icon\" href=\"data:,\">\n<title>" + escaped(verdict_of(report)) +
          " – nolapse on " + escaped(report.host) + "</title>\n<style>" + report_style +
          "</style>\n</head>\n";
  return html;
}

std::string navigation(const Report& report, PageKind kind) {
  const bool any = !report.certificates.empty();
  std::string html = "<nav aria-label=\"Sections\"><ul>";
  for (const auto& [id, title] : {std::pair("timeline", "Timeline"),
                                  {"story", "What happened"},
                                  {"certificates", "Certificates"},
                                  {"findings", "Findings"},
                                  {"alerts", "Alerts"},
                                  {"record", "Record"}}) {
    const bool about_certificates =
        std::string(id) == "timeline" || std::string(id) == "certificates";
    if (about_certificates && !any) continue;
    html += std::string("<li><a href=\"#") + id + "\">" + title + "</a></li>";
  }
  if (kind == PageKind::live) {
    html +=
        "<li><a href=\"/api/v1/certificates\">JSON</a></li><li><a href=\"/metrics\">Metrics</a>"
        "</li><li><a href=\"/\">Reload</a></li>";
  }
  return html + "</ul></nav>\n";
}

std::string banner(const Report& report, PageKind kind) {
  return "<header><h1>nolapse on " + escaped(report.host) + "</h1>\n<p class=\"verdict " +
         name_of(report.judgement()) + "\">" + badge(report.judgement()) + " " +
         escaped(verdict_of(report)) + "</p>\n<p class=\"meta\">" + time_element(report.since) +
         " to " + time_element(report.until) + ", as of " + time_element(report.made_at) + " UTC" +
         (kind == PageKind::live ? "; this page loads itself again every minute" : "") +
         "</p>\n<p class=\"meta\">" + counts_of(report.tally) + "</p>\n" +
         navigation(report, kind) + "</header>\n";
}

}  // namespace

std::string report_page(const Report& report, PageKind kind) {
  return head(report, kind) + "<body>\n<a class=\"skip\" href=\"#main\">To the report</a>\n" +
         banner(report, kind) + "<main id=\"main\" tabindex=\"-1\">\n" +
         section("attention", "Needs attention", attention_section(report)) +
         section("timeline", "Timeline", timeline_section(report)) +
         section("story", "What happened", incidents_section(report)) +
         section("certificates", "Certificates", certificates_section(report)) +
         section("watched", "Renewed by others", watched_section(report)) +
         section("drift", "Drift", drift_section(report)) +
         section("findings", "Findings", findings_section(report)) +
         section("alerts", "Alerts", alerts_section(report)) +
         section("record", "Record", record_section(report)) + "</main>\n</body>\n</html>\n";
}

}  // namespace nolapse
