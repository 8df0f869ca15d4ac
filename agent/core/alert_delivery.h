// Sends the messages of one channel over the world: reads its secrets, makes what the channel
// wants, and sends that, one after the other.
#pragma once

#include "agent/core/alert_message.h"

namespace nolapse {

// Delivered: all of them. Reports are read from their folder, by mail alone. An error names the
// channel and what its other side said.
void deliver_alerts(const World& world, const AlertChannel& channel,
                    const std::vector<AlertMessage>& messages, Duration repeat,
                    const std::string& reports_folder, Completion<void> done);

}  // namespace nolapse
