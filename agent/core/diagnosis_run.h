// Diagnoses several targets, a limited number of them at the same time, each within its own limit.
#pragma once

#include <functional>
#include <vector>

#include "agent/core/diagnosis_probe.h"

namespace nolapse {

// In the order of the targets, without those that only count if they serve their name and do not.
void diagnose_all(const DiagnosisTools& tools, std::vector<KnownTarget> targets,
                  std::function<void(std::vector<Diagnosis>)> done);

}  // namespace nolapse
