// A diagnosis for people, the answer in the first line, and for programs.
#pragma once

#include <iosfwd>
#include <vector>

#include "agent/core/diagnosis.h"

namespace nolapse {

// `brief`: a line each, the bad ones first. Returns the exit status.
int write_diagnoses(std::ostream& out, const std::vector<Diagnosis>& diagnoses, bool json,
                    bool brief);

}  // namespace nolapse
