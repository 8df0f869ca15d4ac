// In place of tests/support/test_issuer.cpp, signing_request.cpp and chain_validation.cpp.
#include <algorithm>

#include "acme/base64url.h"
#include "tests/support/chain_validation.h"
#include "tests/support/quick/quick_certificate.h"
#include "tests/support/quick/quick_key.h"
#include "tests/support/signing_request.h"
#include "tests/support/test_issuer.h"

namespace nolapse {

std::string TestIssuer::sign_authority(const TestIssuer& subject) const {
  quick::CertificateFields fields;
  fields.serial = acme::sha256(subject.key_identifier_ + key_identifier_).substr(0, 8);
  fields.subject = subject.common_name_;
  fields.issuer = common_name_;
  fields.not_before = subject.not_before_;
  fields.not_after = subject.not_after_;
  fields.public_text = subject.key_.public_key_der();
  fields.authority_key_identifier = key_identifier_;
  return quick::write_certificate(fields, key_.public_key_der());
}

TestIssuer TestIssuer::root(const std::string& common_name, acme::Time not_before,
                            acme::Time not_after) {
  TestIssuer issuer;
  issuer.common_name_ = common_name;
  issuer.not_before_ = not_before;
  issuer.not_after_ = not_after;
  issuer.key_ = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256).value();
  issuer.key_identifier_ = acme::sha256(issuer.key_.public_key_der()).substr(0, 20);
  issuer.certificate_ = issuer.sign_authority(issuer);
  return issuer;
}

TestIssuer TestIssuer::intermediate(const std::string& common_name) const {
  TestIssuer issuer = root(common_name, not_before_, not_after_);
  issuer.certificate_ = sign_authority(issuer);
  return issuer;
}

std::string TestIssuer::cross_sign(const TestIssuer& other) const {
  return sign_authority(other);
}

std::string TestIssuer::issue(const LeafOptions& leaf, const acme::PrivateKey& subject_key) const {
  quick::CertificateFields fields;
  fields.serial = leaf.serial;
  // A DER INTEGER has a zero in front where the top bit is set.
  if (static_cast<unsigned char>(fields.serial.front()) > 0x7f) fields.serial.insert(0, 1, '\0');
  fields.subject = leaf.common_name;
  fields.issuer = common_name_;
  fields.names = leaf.identifiers;
  fields.not_before = leaf.not_before;
  fields.not_after = leaf.not_after;
  fields.public_text = subject_key.public_key_der();
  if (!leaf.revocation_list_urls.empty())
    fields.revocation_lists = leaf.revocation_list_urls.front();
  if (leaf.authority_key_identifier) fields.authority_key_identifier = key_identifier_;
  return quick::write_certificate(fields, key_.public_key_der());
}

std::string pem_of(std::string_view der) {
  return "-----BEGIN CERTIFICATE-----\n" + std::string(der) + "-----END CERTIFICATE-----\n";
}

std::string pem_of(const std::vector<std::string>& chain) {
  std::string pem;
  for (const std::string& der : chain) pem += pem_of(der);
  return pem;
}

// ---- what the CA checks

bool same_key(const acme::PrivateKey& key, const acme::PrivateKey& other) {
  return key.public_key_der() == other.public_key_der();
}

Answer<acme::PrivateKey> check_signing_request(const std::string& der,
                                               const std::vector<acme::Identifier>& identifiers,
                                               const acme::PrivateKey& account_key) {
  acme::PrivateKey key = quick::public_key(quick::field(der, "key"));
  if (!key) return refuse(400, "badCSR", "the CSR has no key");
  if (same_key(key, account_key)) return refuse(400, "badCSR", "the CSR's key is the account's");
  auto names = quick::read_names(quick::field(der, "names"));
  std::sort(names.begin(), names.end());
  if (names != identifiers) return refuse(400, "badCSR", "the CSR's names are not the order's");
  return key;
}

// ---- what a client checks

std::string validate_chain(const std::vector<std::string>& chain,
                           const std::vector<std::string>& anchors, const std::string& server_name,
                           acme::Time now) {
  std::vector<acme::Certificate> parsed;
  for (const std::string& der : chain) {
    auto each = acme::parse_certificate(der);
    if (!each) return "not a certificate";
    if (now < each->not_before) return "certificate is not yet valid";
    if (now >= each->not_after) return "certificate has expired";
    parsed.push_back(std::move(*each));
  }
  for (std::size_t i = 0; i + 1 < parsed.size(); ++i)
    if (!quick::is_signed_with(parsed[i].der, parsed[i + 1].public_key_der))
      return "certificate signature failure";
  const bool anchored = std::any_of(anchors.begin(), anchors.end(), [&](const std::string& root) {
    return quick::is_signed_with(parsed.back().der, quick::field(root, "key"));
  });
  if (!anchored) return "unable to get local issuer certificate";
  if (!acme::names(parsed.front(), {"dns", server_name})) return "hostname mismatch";
  return "";
}

}  // namespace nolapse
