// Waits until every authoritative name server shows the TXT values, over both families: a CA asks
// any of them, and from several places. The resolver is not asked, because it remembers that there
// was no record a minute ago. [RFC 8555 §8.4, RFC 2308 §5]
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/solver.h"

namespace nolapse {

struct TxtRecord {
  std::string name;  // aliases are followed
  std::string value;
  // Judges all values of the name instead: why they are no proof; empty: they are one.
  std::function<std::string(const std::vector<std::string>& values)> fault = {};
};

struct PropagationLimits {
  Duration patience = std::chrono::minutes(10);
  // Where all servers answer and none of them shows one of the records, none is on its way.
  std::optional<Duration> patience_with_nothing = {};
};

struct PropagationReport {
  Solver::ProofReport proof;
  // By record: why it is no proof, by the word of a server that speaks for its zone; empty: none
  // says so.
  std::vector<std::string> faults;
};

// Servers that give no answer at all hold it up for 15 seconds only, while another answers; the
// report names them. Calls back late.
void await_propagation(World world, std::vector<TxtRecord> records, std::uint16_t port,
                       PropagationLimits limits, std::function<void(PropagationReport)> done);

}  // namespace nolapse
