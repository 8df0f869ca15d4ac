// What the operator brings of a pair: csr_file, key_file. Read at each use, because they may be
// exchanged while a daemon runs, and judged the same way when the configuration is checked.
#pragma once

#include <string>

#include "acme/signing_request.h"
#include "agent/core/config.h"

namespace nolapse {

// Errors: those of Files; input BAD_SIGNING_REQUEST, with the file in front. An order and its
// request have to name the same, so a difference from `spec.domains` is such an error too.
Result<acme::SigningRequest> read_own_request(const Files& files, const CertificateSpec& spec);

// The public key that the certificate has to have. Empty: nolapse makes the keys, or the file
// cannot be used now, which the next order tells of.
std::string own_public_key(const Files& files, const CertificateSpec& spec);

}  // namespace nolapse
