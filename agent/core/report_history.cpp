#include "agent/core/report_history.h"

#include <algorithm>
#include <array>

#include "agent/core/check_catalogue.h"

namespace nolapse {
namespace {

using acme::string_member;
using acme::time_member;
using nlohmann::json;

struct KindName {
  MomentKind kind;
  const char* name;
};
constexpr std::array kind_names = {
    KindName{MomentKind::renewed, "renewed"},   KindName{MomentKind::deployed, "deployed"},
    KindName{MomentKind::failed, "failed"},     KindName{MomentKind::rolled_back, "rolled_back"},
    KindName{MomentKind::revoked, "revoked"},   KindName{MomentKind::rehearsed, "rehearsed"},
    KindName{MomentKind::expiring, "expiring"}, KindName{MomentKind::found, "found"},
    KindName{MomentKind::resolved, "resolved"}, KindName{MomentKind::told, "told"},
    KindName{MomentKind::not_told, "not_told"}, KindName{MomentKind::noted, "noted"},
};

struct CodeKind {
  const char* code;
  MomentKind kind;
};
constexpr std::array code_kinds = {
    CodeKind{"CERTIFICATE_ISSUED", MomentKind::renewed},
    CodeKind{"STANDBY_PROMOTED", MomentKind::renewed},
    CodeKind{"DEPLOYMENT_VERIFIED", MomentKind::deployed},
    CodeKind{"DEPLOYMENT_UNVERIFIED", MomentKind::deployed},
    CodeKind{"ROLLED_BACK", MomentKind::rolled_back},
    CodeKind{"ROLLBACK_VERIFIED", MomentKind::rolled_back},
    CodeKind{"GENERATION_WITHDRAWN", MomentKind::rolled_back},
    CodeKind{"REVOKED", MomentKind::revoked},
    CodeKind{"RECALLED", MomentKind::revoked},
    CodeKind{"REVOKED_ON_REQUEST", MomentKind::revoked},
    CodeKind{"REHEARSAL_PASSED", MomentKind::rehearsed},
    CodeKind{"REHEARSAL_PARTIAL", MomentKind::rehearsed},
    CodeKind{"REHEARSAL_FAILED", MomentKind::rehearsed},
    CodeKind{"EXPIRY_NEAR", MomentKind::expiring},
    CodeKind{"EXPIRED", MomentKind::expiring},
    CodeKind{"FINDING_RESOLVED", MomentKind::resolved},
    CodeKind{"ALERT_DELIVERED", MomentKind::told},
    CodeKind{"ALERT_NOT_DELIVERED", MomentKind::not_told},
};

// Codes of self-tests that, told of a certificate, are those of an attempt: the self-tests find
// them of a CA, or of this host.
constexpr std::array codes_of_attempts = {"CA_UNREACHABLE", "CA_TLS", "EAB_MISSING", "PORT_IN_USE",
                                          "NAME_NOT_FOUND"};

bool is_of_attempt(const Event& event) {
  if (event.severity != Severity::error || event.certificate.empty()) return false;
  return find_code_page(event.code) == nullptr ||
         std::find(codes_of_attempts.begin(), codes_of_attempts.end(), event.code) !=
             codes_of_attempts.end();
}

Severity severity_of(const std::string& name) {
  if (name == "info") return Severity::info;
  return name == "warning" ? Severity::warning : Severity::error;
}

const char* word_for(Severity severity) {
  if (severity == Severity::info) return "info";
  return severity == Severity::warning ? "warning" : "error";
}

// After one of these the same trouble is another one.
bool is_turn(MomentKind kind) {
  return kind == MomentKind::renewed || kind == MomentKind::deployed ||
         kind == MomentKind::rolled_back || kind == MomentKind::revoked ||
         kind == MomentKind::resolved;
}

bool same_day(Time one, Time another) {
  return std::chrono::floor<std::chrono::days>(one) ==
         std::chrono::floor<std::chrono::days>(another);
}

// What a disk refused half of was written again.
bool is_written_twice(const ReportMoments& story, const ReportMoment& moment) {
  const std::size_t recent = std::min<std::size_t>(story.size(), 8);
  return std::any_of(story.end() - static_cast<std::ptrdiff_t>(recent), story.end(),
                     [&](const ReportMoment& before) {
                       return before.code == moment.code && before.last == moment.at &&
                              before.message == moment.message && moment.count == 1;
                     });
}

// The moment that this one repeats; nothing: it is news.
ReportMoment* repeated_by(ReportMoments& story, const ReportMoment& moment) {
  if (is_turn(moment.kind)) return nullptr;
  const bool is_message = moment.kind == MomentKind::told || moment.kind == MomentKind::not_told;
  for (auto before = story.rbegin(); before != story.rend(); ++before) {
    if (is_turn(before->kind)) return nullptr;
    if (before->code != moment.code) continue;
    // When somebody was told is part of an incident's story.
    if (is_message && !same_day(before->last, moment.at)) return nullptr;
    return &*before;
  }
  return nullptr;
}

}  // namespace

const char* name_of(MomentKind kind) {
  for (const KindName& entry : kind_names) {
    if (entry.kind == kind) return entry.name;
  }
  return "noted";
}

std::string words_of(MomentKind kind) {
  std::string words = name_of(kind);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

const char* name_of(MonthRecord record) {
  switch (record) {
    case MonthRecord::events:
      return "events";
    case MonthRecord::kept_report:
      return "kept_report";
    case MonthRecord::none:
      break;
  }
  return "none";
}

std::optional<MomentKind> kind_of(const Event& event) {
  // What a rehearsal does on its way; its outcome is told besides.
  if (event.series == "rehearsal") return {};
  for (const CodeKind& entry : code_kinds) {
    if (event.code == entry.code) return entry.kind;
  }
  if (event.severity == Severity::info) return {};
  if (is_of_attempt(event)) return MomentKind::failed;
  return find_code_page(event.code) != nullptr ? MomentKind::found : MomentKind::noted;
}

std::optional<Event> parse_event_line(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  const auto at = object.is_object() ? time_member(object, "at") : std::nullopt;
  if (!at) return {};
  Event event{*at,
              string_member(object, "certificate"),
              severity_of(string_member(object, "severity")),
              string_member(object, "code"),
              string_member(object, "message"),
              string_member(object, "series")};
  if (event.code.empty()) return {};
  return event;
}

void ReportHistory::take(const Event& event) {
  if (event.at < since_ || event.at >= until_) return;
  const auto kind = kind_of(event);
  if (!kind) return;
  add(event.certificate, {event.at, event.at, 1, *kind, event.severity, event.code, event.message});
}

void ReportHistory::add(const std::string& certificate, ReportMoment moment) {
  ReportMoments& story = stories_[certificate];
  if (is_written_twice(story, moment)) return;
  if (ReportMoment* const before = repeated_by(story, moment)) {
    before->last = std::max(before->last, moment.last);
    before->count += moment.count;
    before->severity = std::max(before->severity, moment.severity);
    before->message = std::move(moment.message);
    return;
  }
  story.push_back(std::move(moment));
  if (story.size() > longest_story) {
    left_out_[certificate] += story.front().count;
    story.erase(story.begin());
  }
}

namespace {

std::optional<ReportMoment> read_moment(const json& object) {
  const auto at = time_member(object, "at");
  if (!at) return {};
  ReportMoment moment;
  moment.at = *at;
  moment.last = std::max(*at, time_member(object, "last").value_or(*at));
  moment.count = static_cast<unsigned>(
      std::clamp<std::int64_t>(acme::integer_member(object, "count").value_or(1), 1, 1'000'000));
  const std::string kind = string_member(object, "kind");
  for (const KindName& entry : kind_names) {
    if (kind == entry.name) moment.kind = entry.kind;
  }
  moment.severity = severity_of(string_member(object, "severity"));
  moment.code = string_member(object, "code");
  moment.message = string_member(object, "message");
  return moment;
}

}  // namespace

// A moment that began before the period and lasted into it belongs to it.
void ReportHistory::take_kept_report(const json& document) {
  const auto take_story = [this](const std::string& certificate, const json& events) {
    for (const json& object : events) {
      auto moment = read_moment(object);
      if (!moment || moment->last < since_ || moment->at >= until_) continue;
      add(certificate, std::move(*moment));
    }
  };
  take_story({}, acme::array_member(document, "events"));
  for (const json& certificate : acme::array_member(document, "certificates")) {
    take_story(string_member(certificate, "name"), acme::array_member(certificate, "events"));
  }
  for (const json& other : acme::array_member(document, "others")) {
    take_story(string_member(other, "name"), acme::array_member(other, "events"));
  }
}

std::vector<std::string> months_of(Time since, Time until) {
  std::vector<std::string> months;
  using std::chrono::year_month_day;
  const year_month_day first(std::chrono::floor<std::chrono::days>(since));
  const std::chrono::year_month last{
      year_month_day(std::chrono::floor<std::chrono::days>(until - Duration{1})).year(),
      year_month_day(std::chrono::floor<std::chrono::days>(until - Duration{1})).month()};
  for (std::chrono::year_month month{first.year(), first.month()}; month <= last;
       month += std::chrono::months(1)) {
    const Time begin = std::chrono::sys_days(month / 1);
    months.push_back(acme::format_rfc3339(begin).substr(0, 7));
  }
  return months;
}

json moments_array(const ReportMoments& moments) {
  json list = json::array();
  for (const ReportMoment& moment : moments) {
    list.push_back({{"at", acme::format_rfc3339(moment.at)},
                    {"last", acme::format_rfc3339(moment.last)},
                    {"count", moment.count},
                    {"kind", name_of(moment.kind)},
                    {"severity", word_for(moment.severity)},
                    {"code", moment.code},
                    {"message", moment.message}});
  }
  return list;
}

}  // namespace nolapse
