// The lock that keeps two nolapse processes from working on one state directory.
#pragma once

#include "agent/world/file_operations.h"

namespace nolapse {

// A lock file that this call creates is given to `owner`. Errors as in Files::lock.
Result<std::unique_ptr<Files::Lock>> take_file_lock(const std::string& path,
                                                    const std::string& holder,
                                                    std::optional<FileOwner> owner);

}  // namespace nolapse
