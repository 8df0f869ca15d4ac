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

enum class AlertNews { raised, repeated, escalated, resolved, trial };
const char* name_of(AlertNews news);

// What one channel has still to deliver.
struct AlertMessage {
  std::string channel;
  AlertNews news = AlertNews::raised;
  Finding finding;
  Time at{};  // when it was put here
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
};

}  // namespace nolapse
