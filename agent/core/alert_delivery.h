// Sends the messages of one channel over the world: reads its secrets, makes what the channel
// wants, and sends that, one after the other.
#pragma once

#include "agent/core/alert_message.h"
#include "agent/world/mail_refusal.h"

namespace nolapse {

// What a channel said to some messages.
struct AlertReceipt {
  std::vector<AlertMessage> messages;
  std::optional<std::string> refused;  // why it does not want these; it may want others
  std::string remark = {};             // taken, but not for all: who was refused for good
  std::vector<MailRefusal> left = {};  // and who for now: they get it later
};

// How an attempt ended.
struct DeliveryEnd {
  std::size_t taken = 0;               // messages
  std::optional<std::string> failure;  // what went wrong; names the channel
  bool broken = false;                 // the rest was not tried
  std::vector<AlertMessage> broke_at = {};
};

// So many refusals one after the other, and nothing that was taken: it is not the messages.
inline constexpr std::size_t most_refusals = 3;

// `each` is told of what was taken or refused, in time; `done` once. Reports are read from their
// folder, by mail alone.
void deliver_alerts(const World& world, const AlertChannel& channel,
                    const std::vector<AlertMessage>& messages, Duration repeat,
                    const std::string& reports_folder,
                    std::function<void(const AlertReceipt&)> each,
                    std::function<void(const DeliveryEnd&)> done);

}  // namespace nolapse
