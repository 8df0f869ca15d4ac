// Alerts: findings that somebody has to be told of, from the day they begin to the day they end.
// What was told, what is still to be delivered and to whom stands in alerts.json and nowhere in a
// job's records: that a mail server is down changes nothing about a renewal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/finding.h"

namespace nolapse {

// As what a channel took an alert last.
struct Told {
  Time at{};
  std::string code;
  std::string subject;
  FindingSeverity severity = FindingSeverity::error;
  int level = 0;
};

// One that is open.
struct Alert {
  Finding finding;  // as it was found last
  Time raised_at{};
  std::map<std::string, Told> told = {};  // by channel: those that took it, and nobody else
  std::uint64_t id = 0;                   // stays, whatever the finding becomes

  // When somebody was told last; nothing: nobody was.
  std::optional<Time> told_at() const;
};

// Quiet for a while about a certificate, or a code; visible everywhere.
struct Silence {
  std::string what;  // a certificate's name or a code
  Time until{};
  std::string why;
};

enum class AlertNews { raised, repeated, escalated, resolved, trial, report };
const char* name_of(AlertNews news);

// A report that is to be sent: what stands in the message itself. The rest is in the files of that
// name in reports/.
struct ReportNotice {
  std::string id;        // "2026-11"
  std::string headline;  // one line
  std::string summary;   // a few
  Time until{};          // the end of its period
};

// What one channel has still to deliver.
struct AlertMessage {
  std::string channel;
  AlertNews news = AlertNews::raised;
  Finding finding;  // of a report: its id as the subject, headline and summary
  Time at{};        // when it was put here
  std::uint64_t id = 0;
  std::uint64_t alert = 0;  // 0: of none
  // As what the channel knows the alert so far: the other side may have to close that.
  std::optional<Told> before = {};
  // It was refused although the channel works: how often, why, and when it is tried again.
  int refusals = 0;
  std::string refusal = {};
  std::optional<Time> next_attempt = {};
};

// How a channel fares. One that fails is itself a finding.
struct ChannelRecord {
  std::optional<Time> delivered_at;  // last
  std::optional<Time> next_attempt;  // after a failure
  std::optional<Time> failing_since;
  int failures = 0;  // in a row
  std::string error;
  std::string remark = {};  // what it took, but not for all: the recipients that were refused
};

struct AlertState {
  std::vector<Alert> open;
  std::vector<Silence> silences;
  std::vector<AlertMessage> queue;  // oldest first
  std::map<std::string, ChannelRecord> channels;
  std::optional<Time> reported_until;  // the end of the last period whose report was put here
  std::uint64_t last_id = 0;           // of alerts and messages
};

}  // namespace nolapse
