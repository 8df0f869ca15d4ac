// Whether a client would accept a chain. [RFC 5280 §6]
#pragma once

#include <string>
#include <vector>

#include "acme/time.h"

namespace nolapse {

// DER throughout, the leaf first. Why it is not accepted; empty: it is.
std::string validate_chain(const std::vector<std::string>& chain,
                           const std::vector<std::string>& anchors, const std::string& server_name,
                           acme::Time now);

}  // namespace nolapse
