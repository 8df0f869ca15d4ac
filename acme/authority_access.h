// Where the CA of a certificate offers what belongs to it: its issuer's certificate, and the
// responder that says whether it is revoked. [RFC 5280 §4.2.2.1]
#pragma once

#include <string>
#include <vector>

#include "acme/x509.h"

namespace nolapse::acme {

// Plain http and https only.
struct AuthorityAccess {
  std::vector<std::string> issuer_urls;
  std::vector<std::string> responder_urls;  // OCSP
};

// Needs the DER. Nothing where there is no such extension.
AuthorityAccess read_authority_access(const Certificate& certificate);

}  // namespace nolapse::acme
