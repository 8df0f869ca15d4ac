// What happened in a period, condensed for a report: a thousand attempts that failed for the same
// reason are one moment with a count. Read from the events on disk, and for months whose events
// are gone, from the reports that were kept of them.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/event_stream.h"

namespace nolapse {

// What a moment means for the certificate it is about.
enum class MomentKind {
  renewed,      // another certificate is there
  deployed,     // it is served, or nobody can tell
  failed,       // an attempt to get or to deploy one
  rolled_back,  // it was taken back
  revoked,
  rehearsed,
  expiring,  // it is near its end, or past it
  found,     // by a self-test
  resolved,  // what was found is no more
  told,      // a channel took messages
  not_told,  // a channel did not
  noted,     // any other warning or error
};
const char* name_of(MomentKind kind);   // for programs
std::string words_of(MomentKind kind);  // for people

struct ReportMoment {
  Time at{};
  Time last{};         // of several: the last
  unsigned count = 1;  // in a row, as far as nothing better came between
  MomentKind kind = MomentKind::noted;
  Severity severity = Severity::info;
  std::string code;
  std::string message;  // the last one's
};
using ReportMoments = std::vector<ReportMoment>;

// Nothing: it says nothing to whoever reads a report.
std::optional<MomentKind> kind_of(const Event& event);

// Nothing where the line is no whole event: a crash tore it.
std::optional<Event> parse_event_line(std::string_view line);

// Where the history of a month comes from.
enum class MonthRecord { events, kept_report, none };
const char* name_of(MonthRecord record);

struct ReportedMonth {
  std::string month;  // "2026-11"
  MonthRecord record = MonthRecord::none;
  unsigned torn_lines = 0;  // that nobody can read
};

class ReportHistory {
 public:
  // Of one certificate (or of the host); what happened before the newest of so many is counted.
  static constexpr std::size_t longest_story = 200;

  ReportHistory(Time since, Time until) : since_(since), until_(until) {}

  // In the order of time. Others than those of the period are left out.
  void take(const Event& event);
  // Of a kept report: the `events` of its certificates and its own.
  void take_kept_report(const nlohmann::json& document);
  void note_month(ReportedMonth month) { months_.push_back(std::move(month)); }

  Time since() const { return since_; }
  Time until() const { return until_; }
  const std::vector<ReportedMonth>& months() const { return months_; }
  // By certificate; empty: about the host.
  const std::map<std::string, ReportMoments>& stories() const { return stories_; }
  // How many moments a story lost because it was too long.
  const std::map<std::string, unsigned>& left_out() const { return left_out_; }

 private:
  void add(const std::string& certificate, ReportMoment moment);

  Time since_;
  Time until_;
  std::vector<ReportedMonth> months_;
  std::map<std::string, ReportMoments> stories_;
  std::map<std::string, unsigned> left_out_;
};

// The months that a period touches, "2026-10", "2026-11".
std::vector<std::string> months_of(Time since, Time until);

nlohmann::json moments_array(const ReportMoments& moments);

}  // namespace nolapse
