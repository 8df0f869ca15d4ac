#include "acme/x509_authority.h"

#include "acme/x509_openssl.h"

namespace nolapse::acme {

bool is_authority(std::string_view der) {
  const X509Pointer certificate = decode_certificate(der);
  return certificate != nullptr && X509_check_ca(certificate.get()) != 0 &&
         // 4: by its key usage alone, which certificates of servers have as well.
         X509_check_ca(certificate.get()) != 4;
}

}  // namespace nolapse::acme
