// A signing request that the operator made: what it asks for, judged as CAs judge it, before an
// order is spent on it. Whoever has only this never has the private key. [RFC 2986, RFC 8555 §7.4]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/result.h"

namespace nolapse::acme {

struct SigningRequest {
  std::string der;             // PKCS #10
  std::string public_key_der;  // SubjectPublicKeyInfo
  KeyType key_type = KeyType::ecdsa_p256;
  std::vector<Identifier> identifiers;  // of its subjectAltName, sorted, each once
};

// One PEM block and no other. Errors (kind input, code BAD_SIGNING_REQUEST) say what is wrong with
// it and, after a semicolon, what to do: another form, a signature that does not verify or is made
// with SHA-1, a key or a name that CAs do not take, no subjectAltName, a common name beside it.
Result<SigningRequest> parse_signing_request(std::string_view pem);
std::string to_pem(const SigningRequest& request);

}  // namespace nolapse::acme
