// What errno means, once for people and once for the scheduler.
#pragma once

#include <string>

#include "acme/result.h"

namespace nolapse {

// "Connection refused"; safe on every thread.
std::string describe_errno(int error_number);

// The local error that the Files interface promises for this errno: DISK_FULL, PERMISSION_DENIED,
// FILE_EXISTS, FILE_MISSING or FILE_ERROR. `what` is the beginning of the message, "cannot create
// /path"; the cause and, where there is one, the remedy follow.
acme::Error file_error(int error_number, const std::string& what);

}  // namespace nolapse
