// What `renew` says at its end. The same text is made by the command itself and by the daemon that
// it joined.
#pragma once

#include <iosfwd>
#include <vector>

#include "agent/core/certificate_job.h"

namespace nolapse {

// Returns the exit status: the worst of all outcomes.
int write_renewal(std::ostream& out, bool json, const std::vector<CertificateOutcome>& outcomes);

}  // namespace nolapse
