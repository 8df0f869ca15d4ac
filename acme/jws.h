// JSON Web Signatures in the flattened form that ACME prescribes, and JSON Web Keys.
// [RFC 7515, RFC 7517, RFC 7638, RFC 8555 §6.2]
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "acme/private_key.h"
#include "acme/result.h"

namespace nolapse::acme {

// "ES256", "ES384" or "RS256", as the key demands.
std::string signature_algorithm(const PrivateKey& key);

// The public key with exactly the members that its thumbprint covers. EC coordinates are padded
// to the field size, RSA numbers carry no leading zero. [RFC 7518 §6]
nlohmann::json public_jwk(const PrivateKey& key);

// base64url of SHA-256 over the canonical JSON of the public key. [RFC 7638 §3]
std::string jwk_thumbprint(const PrivateKey& key);

// Raw signature octets: R‖S for ECDSA, PKCS #1 v1.5 for RSA. [RFC 7518 §3]
Result<std::string> sign(const PrivateKey& key, std::string_view message);

// {"protected","payload","signature"} as JSON text. `protected_header` gets `alg` added.
// An empty payload is POST-as-GET. [RFC 8555 §6.3]
Result<std::string> sign_jws(const PrivateKey& key, nlohmann::json protected_header,
                             std::string_view payload);

// The externalAccountBinding object: HS256 over the account's public key. [RFC 8555 §7.3.4]
nlohmann::json external_account_binding(const PrivateKey& account_key, const std::string& key_id,
                                        std::string_view mac_key, const std::string& new_account);

}  // namespace nolapse::acme
