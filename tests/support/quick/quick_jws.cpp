// In place of acme/jws.cpp and tests/support/jws_signature.cpp: the same form of messages, with
// signatures that cost nothing.
#include "acme/base64url.h"
#include "acme/json_read.h"
#include "acme/jws.h"
#include "tests/support/jws_verifier.h"
#include "tests/support/quick/quick_key.h"

namespace nolapse {

using nlohmann::json;

namespace acme {

std::string signature_algorithm(const PrivateKey& /*key*/) {
  return "ES256";
}

json public_jwk(const PrivateKey& key) {
  return {{"kty", "EC"}, {"x", quick::public_text(key)}};
}

std::string jwk_thumbprint(const PrivateKey& key) {
  return base64url_encode(sha256(dump(public_jwk(key))));
}

Result<std::string> sign(const PrivateKey& key, std::string_view message) {
  return quick::signature(quick::public_text(key), message);
}

Result<std::string> sign_jws(const PrivateKey& key, json protected_header,
                             std::string_view payload) {
  protected_header["alg"] = signature_algorithm(key);
  const std::string header = base64url_encode(dump(protected_header));
  const std::string body = base64url_encode(payload);
  const auto signature = sign(key, header + "." + body);
  return dump(
      json{{"protected", header}, {"payload", body}, {"signature", base64url_encode(*signature)}});
}

// No CA of a simulation asks for one.
json external_account_binding(const PrivateKey& /*account_key*/, const std::string& /*key_id*/,
                              std::string_view /*mac_key*/, const std::string& /*new_account*/) {
  return json::object();
}

}  // namespace acme

Answer<acme::PrivateKey> parse_jwk(const json& jwk) {
  acme::PrivateKey key = quick::public_key(acme::string_member(jwk, "x"));
  if (!key) return refuse(400, "badPublicKey", "the JWK is no valid key");
  return key;
}

Answer<void> verify_signature(const JwsMessage& message, const acme::PrivateKey& key) {
  if (message.signature == quick::signature(quick::public_text(key), message.signed_text))
    return {};
  return refuse(400, "malformed", "the signature does not verify");
}

bool verify_hs256(const JwsMessage& /*message*/, std::string_view /*mac_key*/) {
  return false;
}

}  // namespace nolapse
