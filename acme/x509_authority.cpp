#include "acme/x509_authority.h"

#include <cstdio>

#include "acme/x509_openssl.h"

namespace nolapse::acme {

bool is_authority(std::string_view der) {
  const X509Pointer certificate = decode_certificate(der);
  return certificate != nullptr && X509_check_ca(certificate.get()) != 0 &&
         // 4: by its key usage alone, which certificates of servers have as well.
         X509_check_ca(certificate.get()) != 4;
}

std::string issuer_hash(std::string_view der) {
  const X509Pointer certificate = decode_certificate(der);
  if (certificate == nullptr) return {};
  char text[17];
  std::snprintf(text, sizeof text, "%08lx", X509_issuer_name_hash(certificate.get()));
  return text;
}

}  // namespace nolapse::acme
