// The lock that keeps two nolapse processes from working on one state directory.
#pragma once

#include "agent/world/file_place.h"
#include "agent/world/world.h"

namespace nolapse {

// Errors as in Files::lock.
Result<std::unique_ptr<Files::Lock>> take_file_lock(const std::string& path,
                                                    const std::string& holder,
                                                    const GuardedDirectories& guarded);

}  // namespace nolapse
