// What became of a finding that is not found again. That it is gone from the list says little: its
// check may have timed out, the endpoint may be down, or it may be worse and have another code now.
// It is over only when its check ended and saw the opposite.
#pragma once

#include <vector>

#include "agent/core/config.h"
#include "agent/core/finding.h"

namespace nolapse {

enum class Fate {
  over,
  unseen,  // nobody could look: it is taken to last
  became,  // the same trouble under another code
};

struct FindingFate {
  Fate fate = Fate::over;
  const Finding* successor = nullptr;  // of `now`; of what became one
};

// Is it about a certificate that is not in the configuration any more? That it is not found then
// says nothing of what became of it. An orphan is looked at all the same.
bool has_left(const Finding& finding, const Config& config);

// `now`: all that is not fine, in which `before` is not. Of several successors the first that is
// not `taken`, where there is one.
FindingFate fate_of(const Finding& before, const std::vector<Finding>& now,
                    const std::vector<Finding>& taken = {});

}  // namespace nolapse
