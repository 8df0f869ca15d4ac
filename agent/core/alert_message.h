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

// What the channel takes as one: the messages are delivered when all of it was taken, in order.
struct AlertParcel {
  std::vector<AlertMessage> messages;
  std::vector<AlertDelivery> deliveries;
};

// In order; several where the channel takes one message at a time, or not all that there are.
std::vector<AlertParcel> parcels_of(const AlertChannel& channel,
                                    const std::vector<AlertMessage>& messages,
                                    const AlertSender& sender);

// What `nolapse alert test` sends. To a pager it is an incident that begins, and ends at once: one
// that only ends proves nothing.
AlertMessage test_message(const AlertChannel& channel, Time now);

// "ERROR shop: …", one line.
std::string headline_of(const AlertMessage& message);
std::string headline_of(const std::vector<AlertMessage>& messages);
// With evidence, what to do, and since when; of a report the first lines.
std::string text_of(const AlertMessage& message);
std::string texts_of(const std::vector<AlertMessage>& messages);

// Empty where it is not set.
const std::string& setting_of(const AlertChannel& channel, const std::string& key);
const std::string& secret_of(const AlertSender& sender, const std::string& key);

}  // namespace nolapse
