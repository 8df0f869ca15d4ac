// What a CA checks of a PKCS #10 signing request before it issues. [RFC 2986, RFC 8555 §7.4]
#pragma once

#include <string>
#include <vector>

#include "acme/identifier.h"
#include "tests/support/jws_verifier.h"

namespace nolapse {

// The public key of a CSR for exactly these identifiers (sorted), which is not the account's.
Answer<acme::PrivateKey> check_signing_request(const std::string& der,
                                               const std::vector<acme::Identifier>& identifiers,
                                               const acme::PrivateKey& account_key);

// Have they the same public part?
bool same_key(const acme::PrivateKey& key, const acme::PrivateKey& other);

}  // namespace nolapse
