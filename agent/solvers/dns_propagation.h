// Waits until every authoritative name server shows the TXT values, over both families: a CA asks
// any of them, and from several places. The resolver is not asked, because it remembers that there
// was no record a minute ago. [RFC 8555 §8.4, RFC 2308 §5]
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/core/solver.h"

namespace nolapse {

struct TxtRecord {
  std::string name;  // aliases are followed
  std::string value;
};

// Servers that give no answer at all hold it up for 15 seconds only, while another answers; the
// report names them. Calls back late.
void await_propagation(World world, std::vector<TxtRecord> records, std::uint16_t port,
                       Duration patience, std::function<void(Solver::ProofReport)> done);

}  // namespace nolapse
