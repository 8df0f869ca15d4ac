// What `status` says. The same text is made by the command itself and by the daemon that it joined.
#pragma once

#include <iosfwd>
#include <vector>

#include "agent/core/status.h"
#include "agent/core/watched.h"

namespace nolapse {

struct StatusStyle {
  bool json = false;
  int verbosity = 0;  // as in GlobalOptions
};

// Returns the exit status: the worst of all certificates, the watched ones included.
int write_statuses(std::ostream& out, const StatusStyle& style, Time now,
                   const std::vector<CertificateStatus>& statuses,
                   const std::vector<WatchedCertificate>& watched = {});

}  // namespace nolapse
