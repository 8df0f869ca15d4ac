#include "acme/authority_access.h"

#include <algorithm>

#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using Descriptions = std::unique_ptr<AUTHORITY_INFO_ACCESS, decltype(&AUTHORITY_INFO_ACCESS_free)>;

bool is_web_url(const std::string& url) {
  return (url.starts_with("http://") || url.starts_with("https://")) &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

AuthorityAccess read_authority_access(const Certificate& certificate) {
  AuthorityAccess access;
  const X509Pointer x509 = decode_to_read(certificate.der);
  if (x509 == nullptr) return access;
  const Descriptions descriptions(static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(
                                      x509.get(), NID_info_access, nullptr, nullptr)),
                                  AUTHORITY_INFO_ACCESS_free);
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(descriptions.get()); ++i) {
    const ACCESS_DESCRIPTION* each = sk_ACCESS_DESCRIPTION_value(descriptions.get(), i);
    if (each->location->type != GEN_URI) continue;
    std::string url = octets(each->location->d.uniformResourceIdentifier);
    if (!is_web_url(url)) continue;
    const int method = OBJ_obj2nid(each->method);
    if (method == NID_ad_ca_issuers) access.issuer_urls.push_back(std::move(url));
    if (method == NID_ad_OCSP) access.responder_urls.push_back(std::move(url));
  }
  return access;
}

}  // namespace nolapse::acme
