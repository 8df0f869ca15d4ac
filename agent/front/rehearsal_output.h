// What `rehearse` says at its end: a line for each certificate and CA. The same text is made by the
// command itself and by the daemon that it joined.
#pragma once

#include <iosfwd>
#include <vector>

#include "agent/core/rehearsals.h"

namespace nolapse {

// Returns the exit status: ok where all passed, also as far as they went.
int write_rehearsals(std::ostream& out, bool json,
                     const std::vector<CertificateRehearsal>& rehearsals);

}  // namespace nolapse
