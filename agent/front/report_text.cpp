#include <algorithm>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/report_output.h"

namespace nolapse {
namespace {

// What a person reads at once; the document has all.
constexpr std::size_t most_in_summary = 10;
constexpr std::size_t most_incidents = 50;

std::string at(Time time) {
  return acme::format_rfc3339(time);
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

// A failure in the list of all that were read is one line, and no line is more than that.
std::string line_of(const std::string& text, std::size_t limit = 400) {
  return acme::printable(text, limit);
}

void add_moment(std::string& text, const ReportMoment& moment) {
  text += "  " + at(moment.at) + "  " + padded(words_of(moment.kind), 11) + "  " +
          line_of(moment.code + ": " + moment.message);
  if (moment.count > 1) {
    text += " (" + std::to_string(moment.count) + " times, until " + at(moment.last) + ")";
  }
  text += '\n';
}

std::string attention_of(const Report& report, std::size_t limit) {
  std::string text;
  std::size_t shown = 0;
  std::size_t all = 0;
  for (const ReportedCertificate& certificate : report.certificates) {
    if (certificate.judgement == Judgement::fine) continue;
    if (++all > limit) continue;
    ++shown;
    text += std::string(certificate.judgement == Judgement::unknown ? "UNKNOWN " : "ATTENTION ") +
            certificate.status.name + ": " + line_of(certificate.why) + '\n';
    if (!certificate.fix.empty()) text += "  do: " + line_of(certificate.fix) + '\n';
  }
  for (const ReportedWatch& watch : report.watched) {
    if (watch.ok && watch.step == 0) continue;
    if (++all > limit) continue;
    ++shown;
    text += "ATTENTION " + watch.name +
            ", which others renew: " + line_of(watch.place + " " + watch.detail) + '\n';
  }
  if (all > shown) text += "and " + std::to_string(all - shown) + " more\n";
  return text;
}

std::string incidents_of(const Report& report) {
  std::string text;
  std::size_t left = 0;
  std::size_t shown = 0;
  for (const ReportedCertificate& certificate : report.certificates) {
    const ReportMoments incident = incident_of(report, certificate);
    if (incident.empty()) continue;
    if (shown == most_incidents) {
      ++left;
      continue;
    }
    ++shown;
    text += certificate.status.name + '\n';
    if (certificate.left_out > 0) {
      text += "  … " + std::to_string(certificate.left_out) + " earlier ones\n";
    }
    for (const ReportMoment& moment : incident) add_moment(text, moment);
  }
  if (left > 0) text += "and of " + std::to_string(left) + " more, see --json\n";
  return text;
}

std::string table_of(const Report& report) {
  std::size_t width = 0;
  for (const auto& certificate : report.certificates) {
    width = std::max(width, certificate.status.name.size());
  }
  std::string text;
  for (const ReportedCertificate& certificate : report.certificates) {
    const CertificateStatus& status = certificate.status;
    text += padded(status.name, width) + "  " + padded(name_of(certificate.judgement), 9) +
            "  serving " + padded(name_of(status.serving), 11) + " renewal " +
            padded(name_of(status.renewal), 8);
    if (const acme::Certificate* const leaf = certificate.leaf()) {
      text += "  expires " + at(leaf->not_after);
    }
    if (certificate.records.planned_renewal) {
      text += "  renews " + at(*certificate.records.planned_renewal);
    }
    const Tally& tally = certificate.tally;
    if (tally.renewed > 0) text += "  renewed " + std::to_string(tally.renewed);
    if (tally.failed > 0) text += "  failed " + std::to_string(tally.failed);
    for (const auto& [ca, record] : certificate.records.rehearsals) {
      text += "  rehearsed at " + ca + " " + at(record.at) + ": " + name_of(record.result);
    }
    text += '\n';
    for (const std::string& each : certificate.drift) text += "  drift: " + line_of(each) + '\n';
  }
  return text;
}

std::string watched_of(const Report& report) {
  std::string text;
  for (const ReportedWatch& watch : report.watched) {
    text += watch.name + "  " + watch.place + "  ";
    if (watch.not_after) text += "expires " + at(*watch.not_after) + "  ";
    text += line_of(watch.detail) + '\n';
  }
  return text;
}

void add_finding(std::string& text, const Finding& finding) {
  text += std::string(name_of(finding.severity)) + " " + finding.code + "  " +
          line_of(finding.summary) + '\n';
  if (!finding.fix.empty()) text += "  do: " + line_of(finding.fix) + '\n';
  if (finding.since) text += "  since " + at(*finding.since) + '\n';
}

std::string findings_of(const Report& report) {
  std::string text;
  for (const Finding& finding : report.host_findings) add_finding(text, finding);
  for (const ReportedCertificate& certificate : report.certificates) {
    for (const Finding& finding : certificate.open) add_finding(text, finding);
  }
  text += report.self_tested_at
              ? "the daemon's last self-test was at " + at(*report.self_tested_at) + '\n'
              : "no daemon has tested anything yet: `nolapse check` does it now\n";
  return text;
}

std::string alerts_of(const Report& report) {
  std::string text;
  for (const ReportedAlert& alert : report.alerts) {
    text += "open since " + at(alert.alert.raised_at) + ": " + alert.alert.finding.code + " " +
            line_of(alert.alert.finding.summary);
    if (const auto told = alert.alert.told_at()) text += "; told " + at(*told);
    if (alert.silence) {
      text +=
          "; silent until " + at(alert.silence->until) + " (" + line_of(alert.silence->why) + ")";
    }
    text += '\n';
  }
  for (const ReportedChannel& channel : report.channels) {
    text += "channel " + channel.name + " (" + channel.type + "): ";
    if (channel.record.failures > 0) {
      text += "FAILING: " + line_of(channel.record.error) + "; " + std::to_string(channel.waiting) +
              " messages wait";
    } else if (channel.record.delivered_at) {
      text += "delivered last on " + at(*channel.record.delivered_at);
    } else {
      text += "nothing delivered yet";
    }
    text += '\n';
  }
  if (report.channels.empty()) text += "there is no channel: nobody is told\n";
  return text;
}

std::string host_story_of(const Report& report) {
  std::string text;
  for (const ReportMoment& moment : report.host_story) add_moment(text, moment);
  for (const ReportedOther& other : report.others) {
    text += other.name + (other.watched ? ", which others renew\n" : ", which is no more\n");
    for (const ReportMoment& moment : other.story) add_moment(text, moment);
  }
  return text;
}

std::string record_of(const Report& report) {
  std::string text;
  for (const ReportedMonth& month : report.months) {
    text += month.month + ": ";
    if (month.record == MonthRecord::none) text += "no record";
    if (month.record == MonthRecord::events) text += "from its events";
    if (month.record == MonthRecord::kept_report) text += "from the report that was kept of it";
    if (month.torn_lines > 0) {
      text += "; torn lines that are left out: " + std::to_string(month.torn_lines);
    }
    text += '\n';
  }
  for (const std::string& problem : report.problems) text += line_of(problem) + '\n';
  return text;
}

void add_section(std::string& text, const char* title, const std::string& content) {
  if (!content.empty()) text += std::string("\n") + title + "\n\n" + content;
}

}  // namespace

int exit_status_of(const Report& report) {
  switch (report.judgement()) {
    case Judgement::fine:
      return exit_status::ok;
    case Judgement::unknown:
      return exit_status::undecided;
    case Judgement::attention:
      break;
  }
  return exit_status::failed;
}

std::string counts_of(const Tally& tally) {
  return "renewals " + std::to_string(tally.renewed) + ", failed attempts " +
         std::to_string(tally.failed) + ", roll-backs " + std::to_string(tally.rolled_back) +
         ", revocations " + std::to_string(tally.revoked) + ", rehearsals passed " +
         std::to_string(tally.rehearsals_passed) + ", failed " +
         std::to_string(tally.rehearsals_failed);
}

std::string report_summary(const Report& report) {
  return verdict_of(report) + '\n' + report.host + ", " + at(report.since) + " to " +
         at(report.until) + ", as of " + at(report.made_at) + '\n' + counts_of(report.tally) +
         '\n' + attention_of(report, most_in_summary);
}

std::string report_text(const Report& report) {
  std::string text = verdict_of(report) + '\n' + report.host + ", " + at(report.since) + " to " +
                     at(report.until) + ", as of " + at(report.made_at) + '\n' +
                     counts_of(report.tally) + '\n';
  add_section(text, "NEEDS ATTENTION", attention_of(report, report.certificates.size() + 1000));
  add_section(text, "WHAT HAPPENED", incidents_of(report));
  add_section(text, "CERTIFICATES", table_of(report));
  add_section(text, "RENEWED BY OTHERS", watched_of(report));
  add_section(text, "FINDINGS", findings_of(report));
  add_section(text, "ALERTS", alerts_of(report));
  add_section(text, "THIS HOST", host_story_of(report));
  add_section(text, "RECORD", record_of(report));
  return text;
}

RenderedReport render_report(const Report& report) {
  return {"report of " + report.host + ", " + at(report.since).substr(0, 10) + " to " +
              at(report.until).substr(0, 10) + ": " + verdict_of(report),
          report_summary(report), report_text(report), report_page(report, PageKind::file),
          report_document(report, -1)};
}

}  // namespace nolapse
