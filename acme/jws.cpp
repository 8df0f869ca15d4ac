#include "acme/jws.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>

#include "acme/base64url.h"
#include "acme/json_read.h"

namespace nolapse::acme {
namespace {

using nlohmann::json;
using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

bool is_rsa(const PrivateKey& key) {
  return EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA;
}

// Octets of one EC coordinate: 32 for P-256, 48 for P-384.
int field_size(const PrivateKey& key) {
  return (EVP_PKEY_get_bits(key.get()) + 7) / 8;
}

std::string number_parameter(const PrivateKey& key, const char* name, int width) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key.get(), name, &raw) != 1) return {};
  const BigNumber number(raw, BN_free);
  std::string octets(static_cast<std::size_t>(width > 0 ? width : BN_num_bytes(number.get())),
                     '\0');
  if (BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(octets.data()),
                   static_cast<int>(octets.size())) < 0) {
    return {};
  }
  return octets;
}

// OpenSSL gives DER, JWS wants R‖S, each padded to the field size. [RFC 7518 §3.4]
std::string fixed_width_signature(const std::string& der, int width) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
      d2i_ECDSA_SIG(nullptr, &data, static_cast<long>(der.size())), ECDSA_SIG_free);
  if (signature == nullptr) return {};
  std::string octets(static_cast<std::size_t>(2 * width), '\0');
  auto* out = reinterpret_cast<unsigned char*>(octets.data());
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, width) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + width, width) < 0) {
    return {};
  }
  return octets;
}

}  // namespace

std::string signature_algorithm(const PrivateKey& key) {
  if (is_rsa(key)) return "RS256";
  return field_size(key) == 48 ? "ES384" : "ES256";
}

json public_jwk(const PrivateKey& key) {
  if (is_rsa(key)) {
    return {{"kty", "RSA"},
            {"n", base64url_encode(number_parameter(key, OSSL_PKEY_PARAM_RSA_N, 0))},
            {"e", base64url_encode(number_parameter(key, OSSL_PKEY_PARAM_RSA_E, 0))}};
  }
  const int width = field_size(key);
  return {{"kty", "EC"},
          {"crv", width == 48 ? "P-384" : "P-256"},
          {"x", base64url_encode(number_parameter(key, OSSL_PKEY_PARAM_EC_PUB_X, width))},
          {"y", base64url_encode(number_parameter(key, OSSL_PKEY_PARAM_EC_PUB_Y, width))}};
}

std::string jwk_thumbprint(const PrivateKey& key) {
  // nlohmann's objects are sorted and dumped without spaces: the canonical form. [RFC 7638 §3.3]
  return base64url_encode(sha256(dump(public_jwk(key))));
}

Result<std::string> sign(const PrivateKey& key, std::string_view message) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  const EVP_MD* digest = !is_rsa(key) && field_size(key) == 48 ? EVP_sha384() : EVP_sha256();
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  std::string signature;
  bool done = EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
              EVP_DigestSign(context.get(), nullptr, &size, data, message.size()) == 1;
  if (done) {
    signature.resize(size);
    done = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                          data, message.size()) == 1;
    signature.resize(size);
  }
  if (done && !is_rsa(key)) signature = fixed_width_signature(signature, field_size(key));
  if (!done || signature.empty()) {
    return fail(ErrorKind::local, "SIGNING_FAILED", "OpenSSL could not sign with the account key");
  }
  return signature;
}

Result<std::string> sign_jws(const PrivateKey& key, json protected_header,
                             std::string_view payload) {
  protected_header["alg"] = signature_algorithm(key);
  const std::string header = base64url_encode(dump(protected_header));
  const std::string body = base64url_encode(payload);
  const auto signature = sign(key, header + "." + body);
  if (!signature) return fail(signature.error());
  return dump(
      json{{"protected", header}, {"payload", body}, {"signature", base64url_encode(*signature)}});
}

json external_account_binding(const PrivateKey& account_key, const std::string& key_id,
                              std::string_view mac_key, const std::string& new_account) {
  const std::string header =
      base64url_encode(dump(json{{"alg", "HS256"}, {"kid", key_id}, {"url", new_account}}));
  const std::string payload = base64url_encode(dump(public_jwk(account_key)));
  const std::string message = header + "." + payload;
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &size);
  return {{"protected", header},
          {"payload", payload},
          {"signature", base64url_encode({reinterpret_cast<const char*>(mac), size})}};
}

}  // namespace nolapse::acme
