// Gathers what a status is made of: the state directory as it is, the endpoints as they answer
// now. Needs no lock and changes nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/core/status.h"
#include "agent/world/world.h"

namespace nolapse {

// In the order of the configuration, then the orphans by name; `names` empty: all. The references
// must outlive the answer.
void collect_status(World world, const Config& config, const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done);

}  // namespace nolapse
