// JWS signatures and keys through OpenSSL's EVP calls.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include <memory>

#include "acme/base64url.h"
#include "tests/support/jws_verifier.h"

namespace nolapse {

namespace {

using nlohmann::json;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

struct Algorithm {
  const char* name;
  const char* curve;  // in JWK; nothing for RSA
  const char* group;  // in OpenSSL
  std::size_t width;  // octets of a coordinate
};

constexpr Algorithm algorithms[] = {
    {"ES256", "P-256", "prime256v1", 32},
    {"ES384", "P-384", "secp384r1", 48},
    {"RS256", nullptr, nullptr, 0},
};

const Algorithm* find_algorithm(const std::string& name) {
  for (const Algorithm& each : algorithms)
    if (name == each.name) return &each;
  return nullptr;
}

Answer<acme::PrivateKey> key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(
      OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return refuse(400, "badPublicKey", "the JWK is no valid key");
  return acme::PrivateKey(key);
}

Answer<acme::PrivateKey> elliptic_key(const json& jwk) {
  for (const Algorithm& each : algorithms) {
    if (each.curve == nullptr || member(jwk, "crv") != each.curve) continue;
    const auto x = acme::base64url_decode(member(jwk, "x"));
    const auto y = acme::base64url_decode(member(jwk, "y"));
    if (!x || !y || x->size() != each.width || y->size() != each.width)
      return refuse(400, "badPublicKey", "the JWK's coordinates do not have the field's size");
    const std::string point = "\x04" + *x + *y;
    const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(
        OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, each.group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                     point.size());
    return key_from("EC", builder.get());
  }
  return refuse(400, "badPublicKey", "the JWK's curve is not accepted");
}

Answer<acme::PrivateKey> rsa_key(const json& jwk) {
  using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
  const auto n = acme::base64url_decode(member(jwk, "n"));
  const auto e = acme::base64url_decode(member(jwk, "e"));
  if (!n || !e || n->empty() || e->empty() || n->front() == '\0' || e->front() == '\0')
    return refuse(400, "badPublicKey", "the JWK's numbers are missing or have leading zeros");
  if (n->size() < 256) return refuse(400, "badPublicKey", "RSA keys need 2048 bits or more");
  const Number modulus(BN_bin2bn(octets(*n), static_cast<int>(n->size()), nullptr), BN_free);
  const Number exponent(BN_bin2bn(octets(*e), static_cast<int>(e->size()), nullptr), BN_free);
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(
      OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_from("RSA", builder.get());
}

// R‖S as the DER that OpenSSL verifies; empty where the width is wrong.
std::string der_signature(const std::string& fixed, std::size_t width) {
  if (fixed.size() != 2 * width) return "";
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(),
                                                                        ECDSA_SIG_free);
  const int size = static_cast<int>(width);
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(octets(fixed), size, nullptr),
                 BN_bin2bn(octets(fixed) + width, size, nullptr));
  unsigned char* data = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &data);
  if (length <= 0) return "";
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(length));
  OPENSSL_free(data);
  return der;
}

bool fits(const Algorithm& algorithm, const acme::PrivateKey& key) {
  if (algorithm.group == nullptr) return EVP_PKEY_is_a(key.get(), "RSA") == 1;
  char group[32] = {};
  return EVP_PKEY_is_a(key.get(), "EC") == 1 &&
         EVP_PKEY_get_group_name(key.get(), group, sizeof group, nullptr) == 1 &&
         std::string_view(group) == algorithm.group;
}

}  // namespace

Answer<acme::PrivateKey> parse_jwk(const json& jwk) {
  if (member(jwk, "kty") == "EC") return elliptic_key(jwk);
  if (member(jwk, "kty") == "RSA") return rsa_key(jwk);
  return refuse(400, "badPublicKey", "the JWK is neither of type EC nor RSA");
}

Answer<void> verify_signature(const JwsMessage& message, const acme::PrivateKey& key) {
  const Algorithm* algorithm = find_algorithm(message.text("alg"));
  if (algorithm == nullptr) {
    Refusal refusal{400, "badSignatureAlgorithm", "alg is '" + message.text("alg") + "'"};
    for (const Algorithm& each : algorithms) refusal.algorithms.push_back(each.name);
    return refuse(refusal);
  }
  if (!fits(*algorithm, key)) return refuse(400, "malformed", "alg does not fit the key");
  const std::string signature = algorithm->width == 0
                                    ? message.signature
                                    : der_signature(message.signature, algorithm->width);
  const EVP_MD* digest = algorithm->width == 48 ? EVP_sha384() : EVP_sha256();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const bool good = !signature.empty() &&
                    EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(context.get(), octets(signature), signature.size(),
                                     octets(message.signed_text), message.signed_text.size()) == 1;
  if (!good) return refuse(400, "malformed", "the signature does not verify");
  return {};
}

bool verify_hs256(const JwsMessage& message, std::string_view mac_key) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()), octets(message.signed_text),
       message.signed_text.size(), mac, &size);
  return message.text("alg") == "HS256" && message.signature.size() == size &&
         CRYPTO_memcmp(message.signature.data(), mac, size) == 0;
}

}  // namespace nolapse
