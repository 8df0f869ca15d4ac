// What speaks against a renewal besides the certificate's own records: what the self-tests found,
// how the rehearsals went, whether a daemon lives. A status that leaves it out is green without
// evidence. Pure functions, and two that read.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "agent/core/finding_document.h"
#include "agent/core/heartbeat.h"
#include "agent/core/status.h"
#include "agent/world/world.h"

namespace nolapse {

// The same for all certificates of a host.
struct HostEvidence {
  Result<SavedFindings> findings = SavedFindings{};  // what the daemon's self-tests found last
  Heartbeat heartbeat = {};
  Time now{};
  std::vector<Finding> configuration = {};  // where no daemon tells: configuration_doubts()
};
HostEvidence read_host_evidence(const World& world, const Config& config);

// Whoever only looks takes a configuration that work refuses, see ConfigUse: for what work would
// refuse it. What rests on a file that this user may not look at is left out.
std::vector<Finding> configuration_doubts(const Files& files, const Config& config);

// Codes that say nothing about the next renewal: what is served, who is told, how the present
// certificate is made; and those that the status judges for itself. Every other one stands in the
// way, so that a code that nobody thought of does.
const std::set<std::string_view>& codes_not_in_the_way();

// Of whom a renewal asks first: its certificate, its first CA and challenge, the host.
bool is_in_the_way(const Finding& finding, const CertificateSpec& spec);

// Notes the doubts in the status, and lets its renewal be *failing* where something stands in the
// way, *unknown* where nobody knows. It never makes it better. Orphans stay as they are.
void weigh(CertificateStatus& status, const CertificateSpec& spec, const Config& config,
           const HostEvidence& evidence, const Result<RehearsalRecords>& rehearsals);

}  // namespace nolapse
