// What root reads and runs on somebody else's word must be root's own: a file that another user can
// change, or put in its place, would be that user's way to become root.
#pragma once

#include <string>

#include "acme/result.h"

namespace nolapse {

// Passes when nobody but root can change what the absolute `path` leads to: it, every folder above,
// and every link on the way belong to root and are not writable by others, nor by a group other
// than root's. A folder in which everybody owns what he makes (the sticky bit, as /tmp has it) is
// fine above something of root's. Errors: local NOT_ROOT_OWNED, which names what is wrong, why, and
// what to do; FILE_MISSING, FILE_ERROR.
acme::Result<void> check_root_owned(const std::string& path);

}  // namespace nolapse
