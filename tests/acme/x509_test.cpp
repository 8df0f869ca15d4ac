#include "acme/x509.h"

#include <doctest/doctest.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "tests/support/test_issuer.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;
using nolapse::LeafOptions;
using nolapse::TestIssuer;

namespace {

const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
const std::vector<Identifier> identifiers = {{"dns", "shop.test"}, {"ip", "2001:db8::1"}};

LeafOptions leaf_of(std::vector<Identifier> names, Time not_before, Time not_after) {
  LeafOptions leaf;
  leaf.identifiers = std::move(names);
  leaf.not_before = not_before;
  leaf.not_after = not_after;
  return leaf;
}

struct Authority {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  TestIssuer root = TestIssuer::root("Test Root", now - 24h, now + 24h * 365);
  TestIssuer intermediate = root.intermediate("Test Intermediate");

  std::vector<Certificate> chain(const LeafOptions& leaf) const {
    return *parse_pem_chain(
        nolapse::pem_of({intermediate.issue(leaf, key), intermediate.certificate()}));
  }
};

}  // namespace

TEST_CASE("a certificate is read into facts [RFC 5280 §4.1]") {
  const Authority authority;
  LeafOptions leaf = leaf_of(identifiers, now - 1h, now + 24h * 90);
  leaf.serial = "\x87\x65\x43\x21";
  const Certificate certificate = authority.chain(leaf).front();
  CHECK(certificate.serial_number ==
        "0087654321");  // the octets of the DER integer [RFC 9773 §4.1]
  CHECK(certificate.not_before == now - 1h);
  CHECK(certificate.not_after == now + 24h * 90);
  CHECK(certificate.issuer_common_name == "Test Intermediate");
  CHECK(certificate.subject_alternative_names == identifiers);
  CHECK(certificate.fingerprint_sha256.size() == 64);
  CHECK(certificate.public_key_der == authority.key.public_key_der());
  CHECK(certificate.authority_key_identifier == authority.intermediate.key_identifier());
  CHECK(names(certificate, {"dns", "shop.test"}));
  CHECK_FALSE(names(certificate, {"dns", "www.shop.test"}));

  leaf.authority_key_identifier = false;
  CHECK(authority.chain(leaf).front().authority_key_identifier.empty());
}

TEST_CASE("an issued chain is checked before anything on disk changes") {
  const Authority authority;
  const LeafOptions good = leaf_of(identifiers, now - 1h, now + 24h * 90);
  CHECK(
      check_issued_chain(authority.chain(good), authority.key.public_key_der(), identifiers, now));

  SUBCASE("another key") {
    const PrivateKey other = *PrivateKey::generate(KeyType::ecdsa_p256);
    const auto checked =
        check_issued_chain(authority.chain(good), other.public_key_der(), identifiers, now);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message.find("key") != std::string::npos);
  }
  SUBCASE("a name is missing") {
    LeafOptions leaf = good;
    leaf.identifiers = {{"dns", "shop.test"}};
    const auto checked =
        check_issued_chain(authority.chain(leaf), authority.key.public_key_der(), identifiers, now);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message.find("2001:db8::1") != std::string::npos);
  }
  SUBCASE("a wildcard does not stand for the name that was asked for") {
    LeafOptions leaf = good;
    leaf.identifiers = {{"dns", "*.test"}, {"ip", "2001:db8::1"}};
    CHECK_FALSE(check_issued_chain(authority.chain(leaf), authority.key.public_key_der(),
                                   identifiers, now));
  }
  SUBCASE("expired or not yet valid") {
    CHECK_FALSE(check_issued_chain(authority.chain(leaf_of(identifiers, now - 2h, now)),
                                   authority.key.public_key_der(), identifiers, now));
    CHECK_FALSE(check_issued_chain(authority.chain(leaf_of(identifiers, now + 2h, now + 24h)),
                                   authority.key.public_key_der(), identifiers, now));
    // Clocks differ a little, and that must not cost a renewal.
    CHECK(check_issued_chain(authority.chain(leaf_of(identifiers, now + 30min, now + 24h)),
                             authority.key.public_key_der(), identifiers, now));
  }
  SUBCASE("a chain in which one does not sign the other") {
    auto chain = authority.chain(good);
    chain[1] = *parse_certificate(
        TestIssuer::root("Test Intermediate", now - 1h, now + 24h).certificate());
    CHECK_FALSE(check_issued_chain(chain, authority.key.public_key_der(), identifiers, now));
  }
  SUBCASE("no chain at all") {
    CHECK_FALSE(check_issued_chain({}, authority.key.public_key_der(), identifiers, now));
  }
}

TEST_CASE("a chain in PEM holds certificates and nothing else [RFC 8555 §11.4]") {
  const Authority authority;
  const std::string leaf = to_pem(authority.chain(leaf_of(identifiers, now, now + 24h)).front());
  CHECK(parse_pem_chain("text before\n" + leaf + "text after\n" + leaf)->size() == 2);
  const std::string key = authority.key.to_pem();
  const std::string bad[] = {
      "",
      "text",
      leaf + key,
      key + leaf,
      leaf.substr(0, leaf.size() / 2),
      leaf + "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
  for (const std::string& pem : bad) {
    CAPTURE(pem);
    CHECK_FALSE(parse_pem_chain(pem));
  }
}

TEST_CASE("a certificate with octets behind its end is refused") {
  const Authority authority;
  const std::string der = authority.intermediate.certificate();
  CHECK(parse_certificate(der));
  CHECK_FALSE(parse_certificate(der + "x"));
  CHECK_FALSE(parse_certificate(der.substr(0, der.size() - 1)));
}

TEST_CASE(
    "a signing request carries the key and all names, and verifies [RFC 2986, RFC 8555 §7.4]") {
  for (const KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384, KeyType::rsa_2048}) {
    const PrivateKey key = *PrivateKey::generate(type);
    const auto der = make_signing_request(key, identifiers);
    REQUIRE(der);
    const auto* data = reinterpret_cast<const unsigned char*>(der->data());
    const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(
        d2i_X509_REQ(nullptr, &data, static_cast<long>(der->size())), X509_REQ_free);
    REQUIRE(request != nullptr);
    CHECK(X509_REQ_verify(request.get(), key.get()) == 1);
    CHECK(X509_NAME_entry_count(X509_REQ_get_subject_name(request.get())) == 0);
  }
}

TEST_CASE("a signing request asks for a stapled answer where that is wanted [RFC 7633 §4.2.3]") {
  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  // id-pe-tlsfeature, then SEQUENCE { INTEGER 5 } in an OCTET STRING.
  const std::string feature("\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18\x04\x05\x30\x03\x02\x01\x05",
                            17);
  CHECK(make_signing_request(key, identifiers, true)->find(feature) != std::string::npos);
  CHECK(make_signing_request(key, identifiers)->find(feature) == std::string::npos);
}
