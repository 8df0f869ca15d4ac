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

// One that is open.
struct Alert {
  Finding finding;  // as it was found last
  Time raised_at{};
  // When somebody was told last; nothing: it was silenced since it began.
  std::optional<Time> told_at;
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
};

// How a channel fares. One that fails is itself a finding.
struct ChannelRecord {
  std::optional<Time> delivered_at;  // last
  std::optional<Time> next_attempt;  // after a failure
  std::optional<Time> failing_since;
  int failures = 0;  // in a row
  std::string error;
};

struct AlertState {
  std::vector<Alert> open;
  std::vector<Silence> silences;
  std::vector<AlertMessage> queue;  // oldest first
  std::map<std::string, ChannelRecord> channels;
  std::optional<Time> reported_until;  // the end of the last period whose report was put here
};

}  // namespace nolapse
