// Which one command, or edit, ends a fault.
#pragma once

#include <string>

#include "agent/core/diagnosis_faults.h"

namespace nolapse {

std::string fix_for(const SeenEndpoint& endpoint, const SeenAddress* seen, const Fault& fault,
                    Time now);

// Of whoever keeps certificates in such a place; empty: nobody who is known.
std::string renewal_command(const std::string& certificate_file);
std::string reload_command(const std::string& server);

}  // namespace nolapse
