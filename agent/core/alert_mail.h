// Alerts and reports as mail. [RFC 5322, RFC 2045, RFC 2046]
#pragma once

#include "agent/core/alert_message.h"

namespace nolapse {

// One mail with all the news, one for each report, and one for those that have not got all of it.
std::vector<AlertParcel> mail_parcels(const AlertChannel& channel,
                                      const std::vector<AlertMessage>& messages,
                                      const AlertSender& sender);

}  // namespace nolapse
