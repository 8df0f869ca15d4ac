// Gathers the evidence for a diagnosis: addresses, handshakes, pages and revocation of what was
// asked for and of what is behind it, everything at the same time and within a limit that a person
// in an outage waits for without noticing. What has not answered by then is said to be slow.
#pragma once

#include <functional>
#include <string>

#include "agent/core/diagnosis_knowledge.h"
#include "agent/core/revocation_check.h"

namespace nolapse {

struct DiagnosisOptions {
  std::string roots_file;  // trust anchors for everything; empty: what is configured for each
  ResolvedByHand resolved;
  Duration probe_limit = std::chrono::milliseconds(1500);
  Duration whole_limit = std::chrono::milliseconds(1800);
};

struct DiagnosisTools {
  World world;
  const KnownHost& host;
  DiagnosisOptions options;
  RevocationCheck& revocation_check;
};

// All that is referred to must outlive the answer, and what is under way then.
void gather_evidence(const DiagnosisTools& tools, DiagnosisTarget target,
                     std::function<void(Evidence)> done);

}  // namespace nolapse
