// alerts.json: what is open, what is silenced, what is still to be delivered, and how the channels
// fare.
#pragma once

#include <string>
#include <string_view>

#include "agent/core/alert.h"

namespace nolapse {

std::string write_alerts_document(const AlertState& state);
// Error: local BAD_STATE; the caller adds the path.
Result<AlertState> read_alerts_document(std::string_view text);

}  // namespace nolapse
