// What is served, held against what lies on this host's disk: the same fault has another cause, and
// another cure, when the right certificate is there already.
#pragma once

#include <optional>
#include <string>

#include "agent/core/diagnosis_faults.h"

namespace nolapse {

// What is known of the better certificate that is not served.
struct BetterOnDisk {
  const acme::Certificate* leaf = nullptr;
  const PairOnDisk* pair = nullptr;  // that a server's configuration names; nothing: nolapse's own
};
std::optional<BetterOnDisk> better_on_disk(const SeenEndpoint& endpoint,
                                           const acme::Certificate& served, Time now);

// The fault, with the cause that the disk gives it: OLD_ONE_SERVED, SERVED_BY_SOMETHING_ELSE,
// MISMATCHED_PAIR, CERTIFICATE_FILE_MISSING; else as it was.
Fault explained_by_disk(const SeenEndpoint& endpoint, const SeenAddress& seen, Fault fault,
                        Time now);

// What is fine now and will not be after the next reload, for people; empty: nothing.
std::string trouble_ahead(const SeenEndpoint& endpoint);

// "nginx, /etc/nginx/sites-enabled/shop:12"
std::string text_of(const ConfigurationPlace& place);

}  // namespace nolapse
