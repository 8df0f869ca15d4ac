// Certificates through OpenSSL's X509 calls. Subject key identifiers are the first 20 octets of
// SHA-256 over the public key [RFC 7093 §2], so that they follow from the key alone.
#include "tests/support/test_issuer.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "acme/base64url.h"

namespace nolapse {

namespace {

using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "TestIssuer: cannot %s\n", what);
  std::abort();
}

std::time_t seconds(acme::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

CertificatePtr parse(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  CertificatePtr certificate(d2i_X509(nullptr, &data, static_cast<long>(der.size())), X509_free);
  require(certificate != nullptr, "read a certificate");
  return certificate;
}

std::string to_der(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  require(size > 0, "write a certificate");
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

void set_common_name(X509_NAME* name, const std::string& common_name) {
  if (common_name.empty()) return;
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1,
          "set a name");
}

// To be freed; unsigned octets, most significant first.
ASN1_INTEGER* integer(const std::string& octets) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(octets.data()),
                static_cast<int>(octets.size()), nullptr),
      BN_free);
  ASN1_INTEGER* const result = BN_to_ASN1_INTEGER(number.get(), nullptr);
  require(result != nullptr, "make a number");
  return result;
}

void set_serial(X509* certificate, const std::string& octets) {
  const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> serial(integer(octets),
                                                                           ASN1_INTEGER_free);
  require(X509_set_serialNumber(certificate, serial.get()) == 1, "set a serial number");
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()), X509_EXTENSION_free);
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

// "0A:1B:…", the form in which the extension parser takes octets.
std::string colon_hex(std::string_view octets) {
  std::string hex = acme::hex_encode(octets);
  for (std::size_t i = hex.size() - 2; i > 0; i -= 2) hex.insert(i, ":");
  return hex;
}

void add_authority_key_identifier(X509* certificate, const std::string& octets) {
  const std::unique_ptr<AUTHORITY_KEYID, decltype(&AUTHORITY_KEYID_free)> value(
      AUTHORITY_KEYID_new(), AUTHORITY_KEYID_free);
  value->keyid = ASN1_OCTET_STRING_new();
  require(ASN1_OCTET_STRING_set(value->keyid, reinterpret_cast<const unsigned char*>(octets.data()),
                                static_cast<int>(octets.size())) == 1 &&
              X509_add1_ext_i2d(certificate, NID_authority_key_identifier, value.get(), 0, 0) == 1,
          "add an authority key identifier");
}

std::string key_identifier_of(const acme::PrivateKey& key) {
  return acme::sha256(key.public_key_der()).substr(0, 20);
}

CertificatePtr make_unsigned(const std::string& subject, const std::string& issuer,
                             acme::Time not_before, acme::Time not_after,
                             const acme::PrivateKey& subject_key) {
  CertificatePtr certificate(X509_new(), X509_free);
  require(X509_set_version(certificate.get(), 2) == 1, "set a version");
  set_common_name(X509_get_subject_name(certificate.get()), subject);
  set_common_name(X509_get_issuer_name(certificate.get()), issuer);
  require(ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds(not_before)) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds(not_after)) != nullptr,
          "set dates");
  require(X509_set_pubkey(certificate.get(), subject_key.get()) == 1, "set a key");
  return certificate;
}

std::string sign(X509* certificate, const acme::PrivateKey& key) {
  require(X509_sign(certificate, key.get(), EVP_sha256()) > 0, "sign a certificate");
  return to_der(certificate);
}

acme::PrivateKey make_key() {
  auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  require(key.has_value(), "make a key");
  return *key;
}

}  // namespace

std::string TestIssuer::sign_authority(const TestIssuer& subject) const {
  const auto certificate = make_unsigned(subject.common_name_, common_name_, subject.not_before_,
                                         subject.not_after_, subject.key_);
  // From both keys, so that cross-signs differ and nothing here needs a counter.
  set_serial(certificate.get(),
             acme::sha256(subject.key_identifier_ + key_identifier_).substr(0, 8));
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate.get(), NID_subject_key_identifier, colon_hex(subject.key_identifier_));
  add_authority_key_identifier(certificate.get(), key_identifier_);
  return sign(certificate.get(), key_);
}

TestIssuer TestIssuer::root(const std::string& common_name, acme::Time not_before,
                            acme::Time not_after) {
  TestIssuer issuer;
  issuer.common_name_ = common_name;
  issuer.not_before_ = not_before;
  issuer.not_after_ = not_after;
  issuer.key_ = make_key();
  issuer.key_identifier_ = key_identifier_of(issuer.key_);
  issuer.certificate_ = issuer.sign_authority(issuer);
  return issuer;
}

TestIssuer TestIssuer::intermediate(const std::string& common_name) const {
  TestIssuer issuer;
  issuer.common_name_ = common_name;
  issuer.not_before_ = not_before_;
  issuer.not_after_ = not_after_;
  issuer.key_ = make_key();
  issuer.key_identifier_ = key_identifier_of(issuer.key_);
  issuer.certificate_ = sign_authority(issuer);
  return issuer;
}

std::string TestIssuer::cross_sign(const TestIssuer& other) const {
  return sign_authority(other);
}

std::string TestIssuer::issue(const LeafOptions& leaf, const acme::PrivateKey& subject_key) const {
  const auto certificate =
      make_unsigned(leaf.common_name, common_name_, leaf.not_before, leaf.not_after, subject_key);
  set_serial(certificate.get(), leaf.serial);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), NID_ext_key_usage, "serverAuth");
  if (leaf.authority_key_identifier)
    add_authority_key_identifier(certificate.get(), key_identifier_);
  std::string lists;
  for (const std::string& url : leaf.revocation_list_urls)
    lists += (lists.empty() ? "URI:" : ",URI:") + url;
  if (!lists.empty()) add_extension(certificate.get(), NID_crl_distribution_points, lists);
  std::string names = leaf.common_name.empty() ? "critical" : "";
  for (const auto& identifier : leaf.identifiers) {
    names += names.empty() ? "" : ",";
    names += (identifier.type == "ip" ? "IP:" : "DNS:") + identifier.value;
  }
  if (!leaf.identifiers.empty()) add_extension(certificate.get(), NID_subject_alt_name, names);
  return sign(certificate.get(), key_);
}

// ---- revocation lists

namespace {

void add_revoked(X509_CRL* list, const RevokedSerial& revoked) {
  const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> serial(integer(revoked.serial),
                                                                           ASN1_INTEGER_free);
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> at(
      ASN1_TIME_set(nullptr, seconds(revoked.at)), ASN1_TIME_free);
  X509_REVOKED* entry = X509_REVOKED_new();
  require(X509_REVOKED_set_serialNumber(entry, serial.get()) == 1 &&
              X509_REVOKED_set_revocationDate(entry, at.get()) == 1,
          "revoke");
  if (revoked.reason != 0) {
    const std::unique_ptr<ASN1_ENUMERATED, decltype(&ASN1_ENUMERATED_free)> reason(
        ASN1_ENUMERATED_new(), ASN1_ENUMERATED_free);
    require(ASN1_ENUMERATED_set(reason.get(), revoked.reason) == 1 &&
                X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason.get(), 0, 0) == 1,
            "give a reason");
  }
  require(X509_CRL_add0_revoked(list, entry) == 1, "add to a list");
}

void add_extension(X509_CRL* list, int nid, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()), X509_EXTENSION_free);
  require(extension && X509_CRL_add_ext(list, extension.get(), -1) == 1, "add an extension");
}

}  // namespace

std::string TestIssuer::sign_revocation_list(const RevocationListOptions& options) const {
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), X509_CRL_free);
  const std::unique_ptr<X509_NAME, decltype(&X509_NAME_free)> issuer(X509_NAME_new(),
                                                                     X509_NAME_free);
  set_common_name(issuer.get(), common_name_);
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> from(
      ASN1_TIME_set(nullptr, seconds(options.this_update)), ASN1_TIME_free);
  require(X509_CRL_set_version(list.get(), 1) == 1 &&
              X509_CRL_set_issuer_name(list.get(), issuer.get()) == 1 &&
              X509_CRL_set1_lastUpdate(list.get(), from.get()) == 1,
          "begin a list");
  if (options.next_update) {
    const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> until(
        ASN1_TIME_set(nullptr, seconds(*options.next_update)), ASN1_TIME_free);
    require(X509_CRL_set1_nextUpdate(list.get(), until.get()) == 1, "set dates");
  }
  for (const RevokedSerial& each : options.revoked) add_revoked(list.get(), each);
  std::string scope = options.place.empty() ? "" : ",fullname:URI:" + options.place;
  if (!options.scope.empty()) scope += "," + options.scope;
  if (!scope.empty()) {
    add_extension(list.get(), NID_issuing_distribution_point, "critical" + scope);
  }
  if (options.delta) {
    const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> base(integer("\x01"),
                                                                           ASN1_INTEGER_free);
    require(X509_CRL_add1_ext_i2d(list.get(), NID_delta_crl, base.get(), 1, 0) == 1,
            "add an extension");
  }
  require(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0, "sign a list");
  unsigned char* data = nullptr;
  const int size = i2d_X509_CRL(list.get(), &data);
  require(size > 0, "write a list");
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

std::string pem_of(std::string_view der) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  require(PEM_write_bio_X509(memory.get(), parse(der).get()) == 1, "write PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string pem_of(const std::vector<std::string>& chain) {
  std::string pem;
  for (const std::string& der : chain) pem += pem_of(der);
  return pem;
}

}  // namespace nolapse
