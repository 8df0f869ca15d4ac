// The rate ledger as the JSON document ledger/<ca>.json and back. Read strictly: what cannot be
// understood was perhaps spent, so the whole document is refused and the caller assumes a loss
// (RateLedger::assumed_after_loss) instead of taking the rest for full buckets.
#pragma once

#include <string>
#include <string_view>

#include "agent/core/rate_ledger.h"

namespace nolapse {

// Whole seconds, rounded so that nothing comes back earlier than it would have.
std::string write_document(const RateLedgerState& state);

// Errors (local, BAD_STATE) say what is wrong; the caller adds the path.
Result<RateLedgerState> read_rate_ledger(std::string_view text);

}  // namespace nolapse
