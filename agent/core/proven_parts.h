// What a renewal rests on besides the world: the configuration of the certificate, its hooks, the
// programs that prove control. What they were when a renewal last succeeded is kept, so that a
// change can be named before, or when, the next one fails.
#pragma once

#include <map>
#include <string>

#include "agent/core/config.h"

namespace nolapse {

// By what it is for people ("hook /usr/libexec/nolapse/hooks/nginx"): a digest of it; "missing" of
// what cannot be read. Of secrets nothing is kept, not even a digest.
using ProvenParts = std::map<std::string, std::string>;
ProvenParts parts_of(const CertificateSpec& spec, const Config& config, const Files& files);

// "the configuration, hook /…/nginx"; empty: nothing.
std::string changed_parts(const ProvenParts& before, const ProvenParts& now);

}  // namespace nolapse
