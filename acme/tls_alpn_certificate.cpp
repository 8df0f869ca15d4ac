#include "acme/tls_alpn_certificate.h"

#include <openssl/objects.h>

#include <algorithm>

#include "acme/base64url.h"
#include "acme/x509.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using Object = std::unique_ptr<ASN1_OBJECT, decltype(&ASN1_OBJECT_free)>;

// id-pe-acmeIdentifier
Object extension_type() {
  return {OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1), ASN1_OBJECT_free};
}

// The extension's value is itself DER: an OCTET STRING of 32 octets.
std::string extension_value(std::string_view key_authorization) {
  return std::string("\x04\x20", 2) + sha256(key_authorization);
}

bool add_extension(X509* certificate, std::string_view key_authorization) {
  const std::string value = extension_value(key_authorization);
  const std::unique_ptr<ASN1_OCTET_STRING, decltype(&ASN1_OCTET_STRING_free)> content(
      ASN1_OCTET_STRING_new(), ASN1_OCTET_STRING_free);
  ASN1_OCTET_STRING_set(content.get(), reinterpret_cast<const unsigned char*>(value.data()),
                        static_cast<int>(value.size()));
  constexpr int critical = 1;
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, extension_type().get(), critical, content.get()),
      X509_EXTENSION_free);
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, const Identifier& identifier, std::string_view key_authorization,
          const PrivateKey& key, Time now) {
  const auto begin = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  constexpr long day = 24 * 3600;
  X509_NAME* const name = X509_get_subject_name(certificate);
  const auto* label = reinterpret_cast<const unsigned char*>("ACME challenge");
  const GeneralNames names = general_names({identifier});
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), 1) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), begin - day) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), begin + 7 * day) != nullptr &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, label, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1 &&
         X509_set_pubkey(certificate, key.get()) == 1 &&
         X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1 &&
         add_extension(certificate, key_authorization) &&
         X509_sign(certificate, key.get(), EVP_sha256()) > 0;
}

}  // namespace

std::string tls_alpn_server_name(const Identifier& identifier) {
  if (identifier.type != "ip") return identifier.value;
  const std::string raw = address_octets(identifier.value);
  std::string name;
  for (auto octet = raw.rbegin(); octet != raw.rend(); ++octet) {
    const unsigned value = static_cast<unsigned char>(*octet);
    if (raw.size() == 4) {
      name += std::to_string(value) + ".";
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      name += {digits[value & 15], '.', digits[value >> 4], '.'};
    }
  }
  return name + (raw.size() == 4 ? "in-addr.arpa" : "ip6.arpa");
}

Result<std::string> make_tls_alpn_certificate(const Identifier& identifier,
                                              std::string_view key_authorization,
                                              const PrivateKey& key, Time now) {
  const X509Pointer certificate(X509_new(), X509_free);
  unsigned char* data = nullptr;
  int size = 0;
  if (fill(certificate.get(), identifier, key_authorization, key, now)) {
    size = i2d_X509(certificate.get(), &data);
  }
  if (size <= 0) {
    return fail(ErrorKind::local, "SIGNING_FAILED",
                "OpenSSL could not make a validation certificate for " + identifier.value);
  }
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

bool proves_by_tls_alpn(std::string_view certificate_der, const Identifier& identifier,
                        std::string_view key_authorization) {
  const auto facts = parse_certificate(certificate_der);
  if (!facts || facts->subject_alternative_names != std::vector{identifier}) return false;
  const X509Pointer certificate = decode_to_read(certificate_der);
  const int at = X509_get_ext_by_OBJ(certificate.get(), extension_type().get(), -1);
  if (at < 0) return false;
  X509_EXTENSION* const extension = X509_get_ext(certificate.get(), at);
  return X509_EXTENSION_get_critical(extension) == 1 &&
         octets(X509_EXTENSION_get_data(extension)) == extension_value(key_authorization);
}

}  // namespace nolapse::acme
