// Ends the authorizations that an order left behind, so that the next order has to be proved anew.
// [RFC 8555 §7.5.2]
#pragma once

#include <string>

#include "agent/core/ca_client.h"

namespace nolapse {

// Only valid ones: to give up a pending one counts as a failed validation. `ca` is prepared.
// Errors: those of CaClient::send(), and what the CA sent could not be read.
void end_valid_authorizations(CaClient& ca, const std::string& order_url, Completion<void> done);

}  // namespace nolapse
