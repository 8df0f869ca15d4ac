// What the status page says of the certificates, as a document and for people: pure functions.
#pragma once

#include <string>
#include <vector>

#include "agent/core/status_watch.h"

namespace nolapse {

// The document of `nolapse status --json`, and beside it "as_of".
std::string certificates_document(const std::vector<KnownStatusPointer>& certificates, Time as_of);

std::string certificates_page(const std::vector<KnownStatusPointer>& certificates, Time as_of,
                              Time now);

}  // namespace nolapse
