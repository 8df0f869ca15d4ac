// Certificate signing requests. Apart from x509.cpp because this is the only place that *makes*
// X.509. [RFC 2986, RFC 8555 §7.4]
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "acme/x509.h"

namespace nolapse::acme {
namespace {

using Extensions = std::unique_ptr<STACK_OF(X509_EXTENSION), void (*)(STACK_OF(X509_EXTENSION)*)>;
using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;

GENERAL_NAME* make_name(const Identifier& identifier) {
  const bool address = identifier.type == "ip";
  const std::string content = address ? address_octets(identifier.value) : identifier.value;
  ASN1_STRING* string = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  ASN1_STRING_set(string, content.data(), static_cast<int>(content.size()));
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, string);
  return name;
}

bool add_names(X509_REQ* request, const std::vector<Identifier>& identifiers) {
  const Names alternatives(sk_GENERAL_NAME_new_null(), GENERAL_NAMES_free);
  for (const Identifier& identifier : identifiers) {
    sk_GENERAL_NAME_push(alternatives.get(), make_name(identifier));
  }
  STACK_OF(X509_EXTENSION)* raw = nullptr;
  if (X509V3_add1_i2d(&raw, NID_subject_alt_name, alternatives.get(), 0, X509V3_ADD_APPEND) != 1) {
    return false;
  }
  const Extensions extensions(raw, [](STACK_OF(X509_EXTENSION) * stack) {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
  });
  return X509_REQ_add_extensions(request, extensions.get()) == 1;
}

}  // namespace

Result<std::string> make_signing_request(const PrivateKey& key,
                                         const std::vector<Identifier>& identifiers) {
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(X509_REQ_new(), X509_REQ_free);
  unsigned char* data = nullptr;
  int size = 0;
  if (X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
      X509_REQ_set_pubkey(request.get(), key.get()) == 1 && add_names(request.get(), identifiers) &&
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
