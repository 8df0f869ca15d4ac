#include "tests/support/signing_request.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace nolapse {

using acme::Identifier;

namespace {

using SigningRequest = std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)>;

std::string octets_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// The identifiers a CSR asks for, sorted; a name of any other kind is in the list with the type
// "other", so that it fits no order.
std::vector<Identifier> requested_identifiers(X509_REQ* request) {
  std::vector<Identifier> identifiers;
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  auto* names = static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      identifiers.push_back({"dns", octets_of(name->d.dNSName)});
    } else if (name->type == GEN_IPADD) {
      identifiers.push_back({"ip", acme::address_text(octets_of(name->d.iPAddress))});
    } else {
      identifiers.push_back({"other", ""});
    }
  }
  GENERAL_NAMES_free(names);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  std::sort(identifiers.begin(), identifiers.end());
  return identifiers;
}

Answer<void> check_common_name(X509_REQ* request, const std::vector<Identifier>& identifiers) {
  X509_NAME* subject = X509_REQ_get_subject_name(request);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  const std::string name = octets_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  const bool listed = std::any_of(identifiers.begin(), identifiers.end(), [&](const auto& each) {
    return each.type == "dns" && each.value == name;
  });
  if (!listed) return refuse(400, "badCSR", "the common name is not among the names");
  return {};
}

}  // namespace

bool same_key(const acme::PrivateKey& key, const acme::PrivateKey& other) {
  return EVP_PKEY_eq(key.get(), other.get()) == 1;
}

Answer<acme::PrivateKey> check_signing_request(const std::string& der,
                                               const std::vector<Identifier>& identifiers,
                                               const acme::PrivateKey& account_key) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = data + der.size();
  const SigningRequest request(d2i_X509_REQ(nullptr, &data, static_cast<long>(der.size())),
                               X509_REQ_free);
  if (!request || data != end) return refuse(400, "badCSR", "the CSR is no PKCS #10 in DER");
  EVP_PKEY* raw_key = X509_REQ_get_pubkey(request.get());
  if (raw_key == nullptr) return refuse(400, "badCSR", "the CSR has no key");
  acme::PrivateKey key(raw_key);
  if (X509_REQ_verify(request.get(), key.get()) != 1)
    return refuse(400, "badCSR", "the CSR's signature does not verify");
  if (!key.type()) return refuse(400, "badCSR", "the CSR's key is of no accepted kind");
  if (same_key(key, account_key)) return refuse(400, "badCSR", "the CSR's key is the account's");
  if (requested_identifiers(request.get()) != identifiers)
    return refuse(400, "badCSR", "the CSR's names are not those of the order");
  if (auto fine = check_common_name(request.get(), identifiers); !fine) return refuse(fine.error());
  return key;
}

}  // namespace nolapse
