// What a channel is sent for its messages: pure, so that each documented form can be held against
// its documentation. [PagerDuty Events API v2; Alertmanager API v2; Slack incoming webhooks; ntfy;
// RFC 5322]
#pragma once

#include <variant>

#include "agent/core/alert.h"

namespace nolapse {

// A report as mail brings it.
struct ReportAttachment {
  std::string text;  // the body
  std::string page;  // HTML; empty: none
  std::string note;  // why there is none
};

// Who speaks, and what the channel's secret files hold (by key, without line ends).
struct AlertSender {
  std::string host;
  std::map<std::string, std::string> secrets;
  Duration repeat = std::chrono::hours(24);  // how long an alert is good without being repeated
  Time now{};
  std::uint64_t random = 0;                              // for what has to be unique
  std::map<std::string, ReportAttachment> reports = {};  // by id
};

// Any 2xx is taken for delivered.
using AlertDelivery = std::variant<acme::HttpRequest, MailMessage, ProcessSpec>;

// In order; several where the channel takes one message at a time.
std::vector<AlertDelivery> deliveries_of(const AlertChannel& channel,
                                         const std::vector<AlertMessage>& messages,
                                         const AlertSender& sender);

// "ERROR shop: …", one line.
std::string headline_of(const AlertMessage& message);
// With evidence, what to do, and since when; of a report the first lines.
std::string text_of(const AlertMessage& message);

}  // namespace nolapse
