// What `status` says. The same text is made by the command itself and by the daemon that it joined.
#pragma once

#include <iosfwd>
#include <vector>

#include "agent/core/status.h"

namespace nolapse {

struct StatusStyle {
  bool json = false;
  int verbosity = 0;  // as in GlobalOptions
};

// Returns the exit status: the worst of all certificates.
int write_statuses(std::ostream& out, const StatusStyle& style, Time now,
                   const std::vector<CertificateStatus>& statuses);

}  // namespace nolapse
