// What the readers and makers of certificates, requests and revocation lists share: OpenSSL's
// objects with owners, its strings, names and times as ours. For the X.509 sources of acme/ only.
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"
#include "acme/time.h"

namespace nolapse::acme {

using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;

inline std::string octets(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// Null for anything but one certificate and nothing behind it.
inline X509Pointer decode_certificate(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = data + der.size();
  X509Pointer certificate(d2i_X509(nullptr, &data, static_cast<long>(der.size())), X509_free);
  if (certificate != nullptr && data != end) certificate.reset();
  return certificate;
}

// A library context that knows no algorithm. OpenSSL 3.0 decodes the public key of whatever it
// reads and looks through all it has for that, which takes twenty times as long as the rest.
inline OSSL_LIB_CTX* without_algorithms() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    if (made != nullptr) OSSL_PROVIDER_load(made, "null");
    return made;
  }();
  return context;
}

// The same, to read and not to verify: its key is there as octets only.
inline X509Pointer decode_to_read(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = data + der.size();
  X509Pointer certificate(reinterpret_cast<X509*>(ASN1_item_d2i_ex(
                              nullptr, &data, static_cast<long>(der.size()), ASN1_ITEM_rptr(X509),
                              without_algorithms(), nullptr)),
                          X509_free);
  if (certificate != nullptr && data != end) certificate.reset();
  return certificate;
}

// For a subjectAltName. [RFC 5280 §4.2.1.6]
inline GeneralNames general_names(const std::vector<Identifier>& identifiers) {
  GeneralNames names(sk_GENERAL_NAME_new_null(), GENERAL_NAMES_free);
  for (const Identifier& identifier : identifiers) {
    const bool address = identifier.type == "ip";
    const std::string content = address ? address_octets(identifier.value) : identifier.value;
    ASN1_STRING* string = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    ASN1_STRING_set(string, content.data(), static_cast<int>(content.size()));
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, string);
    sk_GENERAL_NAME_push(names.get(), name);
  }
  return names;
}

// Nothing where it is no time.
inline std::optional<Time> read_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::sys_seconds{std::chrono::seconds{timegm(&parts)}};
}

}  // namespace nolapse::acme
