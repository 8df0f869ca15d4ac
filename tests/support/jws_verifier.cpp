// The form of JWS and JWK, as strict as a CA. What needs a key is in jws_signature.cpp.
#include "tests/support/jws_verifier.h"

#include "acme/base64url.h"

namespace nolapse {

namespace {

using nlohmann::json;

std::string member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::string JwsMessage::text(const char* name) const {
  return member(header, name);
}

Answer<JwsMessage> parse_jws(const json& object) {
  if (!object.is_object() || object.size() != 3 || !object.contains("protected") ||
      !object.contains("payload") || !object.contains("signature"))
    return refuse(400, "malformed",
                  "the body is no flattened JWS of protected, payload, signature");
  const std::string header_text = member(object, "protected");
  const std::string payload_text = member(object, "payload");
  const auto header = acme::base64url_decode(header_text);
  const auto payload = acme::base64url_decode(payload_text);
  const auto signature = acme::base64url_decode(member(object, "signature"));
  if (!header || !payload || !signature || !object["payload"].is_string())
    return refuse(400, "malformed", "a member of the JWS is not base64url without padding");
  JwsMessage message;
  message.header = json::parse(*header, nullptr, false);
  if (!message.header.is_object())
    return refuse(400, "malformed", "the protected header is no JSON object");
  message.payload = *payload;
  message.signed_text = header_text + "." + payload_text;
  message.signature = *signature;
  return message;
}

std::string thumbprint_of(const json& jwk) {
  json required;
  for (const char* name : {"crv", "e", "kty", "n", "x", "y"})
    if (jwk.contains(name)) required[name] = jwk[name];
  return acme::base64url_encode(acme::sha256(required.dump()));
}

}  // namespace nolapse
