// Certificate signing requests. Apart from x509.cpp because this is the only place that *makes*
// X.509. [RFC 2986, RFC 8555 §7.4]
#include <openssl/x509.h>

#include <memory>

#include "acme/x509.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), void (*)(STACK_OF(X509_EXTENSION)*)>;

bool add_extensions(X509_REQ* request, const std::vector<Identifier>& identifiers,
                    bool must_staple) {
  const GeneralNames alternatives = general_names(identifiers);
  STACK_OF(X509_EXTENSION)* raw = nullptr;
  if (X509V3_add1_i2d(&raw, NID_subject_alt_name, alternatives.get(), 0, X509V3_ADD_APPEND) != 1) {
    return false;
  }
  const Extensions extensions(raw, [](STACK_OF(X509_EXTENSION) * stack) {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
  });
  if (must_staple) {
    X509_EXTENSION* feature =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_tlsfeature, "status_request");
    if (feature == nullptr) return false;
    sk_X509_EXTENSION_push(extensions.get(), feature);
  }
  return X509_REQ_add_extensions(request, extensions.get()) == 1;
}

}  // namespace

Result<std::string> make_signing_request(const PrivateKey& key,
                                         const std::vector<Identifier>& identifiers,
                                         bool must_staple) {
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(X509_REQ_new(), X509_REQ_free);
  unsigned char* data = nullptr;
  int size = 0;
  if (X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
      X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
      add_extensions(request.get(), identifiers, must_staple) &&
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0) {
    size = i2d_X509_REQ(request.get(), &data);
  }
  if (size <= 0) {
    return fail(ErrorKind::local, "SIGNING_FAILED",
                "OpenSSL could not make a signing request for " + join(identifiers, " "));
  }
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

}  // namespace nolapse::acme
