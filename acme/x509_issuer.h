// Who stands behind what a CA issued.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/x509.h"

namespace nolapse::acme {

// Is a chain (leaf first, each signed by the next) one that clients can follow to an anchor?
// `anchors_pem` holds certificates, each of them an anchor, whether it signed itself or not; which
// these are, "in issuer_roots", stands in the message. Judged at `now`, or when the leaf begins to
// be valid if that is later. Error: transient BAD_CERTIFICATE. [RFC 5280 §6.1, RFC 8555 §9.1]
Result<void> check_issuer(const std::vector<Certificate>& chain, std::string_view anchors_pem,
                          const std::string& which, Time now);

// The same where no anchor is known: the leaf's issuer has to be there, another than itself, a CA
// that has not expired.
Result<void> check_issuer_present(const std::vector<Certificate>& chain, Time now);

}  // namespace nolapse::acme
