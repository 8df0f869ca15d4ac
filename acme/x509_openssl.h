// What the readers of certificates and of revocation lists share: OpenSSL's objects with owners,
// its strings and times as ours. For acme/x509*.cpp only.
#pragma once

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "acme/time.h"

namespace nolapse::acme {

using X509Pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

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

// Nothing where it is no time.
inline std::optional<Time> read_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::sys_seconds{std::chrono::seconds{timegm(&parts)}};
}

}  // namespace nolapse::acme
