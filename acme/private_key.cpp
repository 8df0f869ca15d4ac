#include "acme/private_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

namespace nolapse::acme {
namespace {

struct TypeName {
  KeyType type;
  const char* name;
};

constexpr std::array<TypeName, 5> type_names = {{
    {KeyType::ecdsa_p256, "ecdsa-p256"},
    {KeyType::ecdsa_p384, "ecdsa-p384"},
    {KeyType::rsa_2048, "rsa-2048"},
    {KeyType::rsa_3072, "rsa-3072"},
    {KeyType::rsa_4096, "rsa-4096"},
}};

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

// An encrypted PEM must fail, not ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

// A key as nolapse writes it, PKCS #8 without a passphrase. PEM_read_bio_PrivateKey tries each kind
// of key with each kind of file, four times as long; this reads which kind it is. Null for others.
EVP_PKEY* read_plain_key(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  unsigned char* data = nullptr;
  long size = 0;
  char* block = nullptr;
  if (PEM_bytes_read_bio_secmem(&data, &size, &block, PEM_STRING_EVP_PKEY, bio.get(), no_passphrase,
                                nullptr) != 1) {
    return nullptr;
  }
  EVP_PKEY* key = nullptr;
  const unsigned char* begin = data;
  PKCS8_PRIV_KEY_INFO* const info = std::string_view(block) == PEM_STRING_PKCS8INF
                                        ? d2i_PKCS8_PRIV_KEY_INFO(nullptr, &begin, size)
                                        : nullptr;
  const ASN1_OBJECT* algorithm = nullptr;
  if (info != nullptr && PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info) == 1) {
    begin = data;
    key = d2i_PrivateKey(OBJ_obj2nid(algorithm), nullptr, &begin, size);
  }
  PKCS8_PRIV_KEY_INFO_free(info);
  OPENSSL_secure_free(block);
  OPENSSL_secure_clear_free(data, static_cast<std::size_t>(size));
  return key;
}

bool is_on(const EVP_PKEY* key, std::string_view curve) {
  std::array<char, 80> name{};
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) == 1 &&
         curve == name.data();
}

}  // namespace

const char* name_of(KeyType type) {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry.name;
  }
  return "";
}

std::optional<KeyType> parse_key_type(std::string_view name) {
  for (const TypeName& entry : type_names) {
    if (entry.name == name) return entry.type;
  }
  return {};
}

PrivateKey::PrivateKey(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  EVP_PKEY* key = nullptr;
  switch (type) {
    case KeyType::ecdsa_p256:
      key = EVP_EC_gen("P-256");
      break;
    case KeyType::ecdsa_p384:
      key = EVP_EC_gen("P-384");
      break;
    case KeyType::rsa_2048:
      key = EVP_RSA_gen(2048);
      break;
    case KeyType::rsa_3072:
      key = EVP_RSA_gen(3072);
      break;
    case KeyType::rsa_4096:
      key = EVP_RSA_gen(4096);
      break;
  }
  if (key == nullptr) {
    return fail(ErrorKind::local, "KEY_NOT_GENERATED",
                std::string("OpenSSL could not generate a ") + name_of(type) + " key");
  }
  return PrivateKey(key);
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  EVP_PKEY* key = read_plain_key(pem);
  if (key == nullptr) {
    ERR_clear_error();
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    key = PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr);
  }
  if (key == nullptr) {
    return fail(ErrorKind::local, "BAD_PRIVATE_KEY", "not an unencrypted private key in PEM form");
  }
  return PrivateKey(key);
}

std::string PrivateKey::to_pem() const {
  const Bio bio(BIO_new(BIO_s_secmem()), BIO_free);
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1) {
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string PrivateKey::public_key_der() const {
  unsigned char* data = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

std::optional<KeyType> PrivateKey::type() const {
  if (key_ == nullptr) return {};
  if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC) {
    // Other curves are as long, and no CA takes them.
    if (is_on(key_.get(), "prime256v1")) return KeyType::ecdsa_p256;
    if (is_on(key_.get(), "secp384r1")) return KeyType::ecdsa_p384;
  }
  if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA) {
    const int bits = EVP_PKEY_get_bits(key_.get());
    if (bits == 2048) return KeyType::rsa_2048;
    if (bits == 3072) return KeyType::rsa_3072;
    if (bits == 4096) return KeyType::rsa_4096;
  }
  return {};
}

}  // namespace nolapse::acme
