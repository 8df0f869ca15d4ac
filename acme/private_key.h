// A private key: an account's or a certificate's. A cheap handle to an immutable OpenSSL key.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "acme/result.h"

typedef struct evp_pkey_st EVP_PKEY;

namespace nolapse::acme {

enum class KeyType { ecdsa_p256, ecdsa_p384, rsa_2048, rsa_3072, rsa_4096 };

// "ecdsa-p256" and so on, as the configuration writes it.
const char* name_of(KeyType type);
std::optional<KeyType> parse_key_type(std::string_view name);
// "ecdsa" or "rsa".
inline const char* kind_of(KeyType type) {
  return type == KeyType::ecdsa_p256 || type == KeyType::ecdsa_p384 ? "ecdsa" : "rsa";
}

class PrivateKey {
 public:
  PrivateKey() = default;
  // Takes 0.2 s and more for RSA: call it on a worker, never on the loop.
  static Result<PrivateKey> generate(KeyType type);
  // One unencrypted PEM block (PKCS #8 or traditional). Errors never quote the input.
  static Result<PrivateKey> from_pem(std::string_view pem);

  explicit operator bool() const { return key_ != nullptr; }
  std::string to_pem() const;           // PKCS #8
  std::string public_key_der() const;   // SubjectPublicKeyInfo
  std::optional<KeyType> type() const;  // nothing for kinds that nolapse does not make
  EVP_PKEY* get() const { return key_.get(); }

  // Takes ownership.
  explicit PrivateKey(EVP_PKEY* key);

 private:
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace nolapse::acme
