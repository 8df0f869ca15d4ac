// What a CA's responder says of a certificate, and what is no answer.
#include "acme/certificate_status.h"

#include <doctest/doctest.h>
#include <openssl/ocsp.h>

#include "acme/x509_openssl.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;

namespace {

const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");

std::string der_of(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

// A certificate of `subject`, signed by the key of `issuer`.
X509Pointer make(const char* subject, const PrivateKey& key, const char* issuer,
                 const PrivateKey& issuer_key, long serial) {
  X509Pointer certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  const auto name = [](X509_NAME* to, const char* text) {
    X509_NAME_add_entry_by_NID(to, NID_commonName, MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
  };
  name(X509_get_subject_name(certificate.get()), subject);
  name(X509_get_issuer_name(certificate.get()), issuer);
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds - 1000);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds + 1000);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), issuer_key.get(), EVP_sha256());
  return certificate;
}

struct Scene {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  PrivateKey other_key = *PrivateKey::generate(KeyType::ecdsa_p256);
  X509Pointer issuer = make("CA", key, "CA", key, 1);
  X509Pointer impostor = make("CA", other_key, "CA", other_key, 1);
  X509Pointer leaf = make("shop.test", other_key, "CA", key, 77);
  X509Pointer sibling = make("blog.test", other_key, "CA", key, 78);

  struct Answer {
    int status = V_OCSP_CERTSTATUS_GOOD;
    std::chrono::seconds age{60};
    bool about_another = false;
    bool by_impostor = false;
  };

  std::string answer(const Answer& wanted) const {
    OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
    OCSP_CERTID* const id = OCSP_cert_to_id(
        EVP_sha1(), wanted.about_another ? sibling.get() : leaf.get(), issuer.get());
    const auto at = std::chrono::system_clock::to_time_t(now - wanted.age);
    ASN1_TIME* const from = ASN1_GENERALIZEDTIME_set(nullptr, at);
    ASN1_TIME* const until = ASN1_GENERALIZEDTIME_set(nullptr, at + 3600);
    const bool revoked = wanted.status == V_OCSP_CERTSTATUS_REVOKED;
    OCSP_basic_add1_status(basic, id, wanted.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                           revoked ? from : nullptr, from, until);
    OCSP_basic_sign(basic, wanted.by_impostor ? impostor.get() : issuer.get(),
                    wanted.by_impostor ? other_key.get() : key.get(), EVP_sha256(), nullptr, 0);
    OCSP_RESPONSE* const response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* data = nullptr;
    const int size = i2d_OCSP_RESPONSE(response, &data);
    std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(data);
    OCSP_RESPONSE_free(response);
    ASN1_GENERALIZEDTIME_free(from);
    ASN1_GENERALIZEDTIME_free(until);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    return der;
  }

  Result<std::optional<Revocation>> read(const std::string& der) const {
    return parse_status_response(der, *parse_certificate(der_of(leaf.get())),
                                 *parse_certificate(der_of(issuer.get())), now);
  }
};

}  // namespace

TEST_CASE("a responder's answer is good, or a revocation with its moment and reason [RFC 6960]") {
  const Scene scene;
  const auto good = scene.read(scene.answer({}));
  REQUIRE(good);
  CHECK_FALSE(*good);
  const auto revoked = scene.read(scene.answer({V_OCSP_CERTSTATUS_REVOKED}));
  REQUIRE(revoked);
  REQUIRE(*revoked);
  CHECK((*revoked)->at == now - 60s);
  CHECK((*revoked)->reason == "keyCompromise");
}

TEST_CASE("what is signed by another, about another, too old or no answer says nothing") {
  const Scene scene;
  const std::string good = scene.answer({});
  struct Case {
    std::string der;
    const char* why;
  };
  for (const Case& each : std::vector<Case>{
           {scene.answer({V_OCSP_CERTSTATUS_GOOD, 60s, false, true}), "not signed by the issuer"},
           {scene.answer({V_OCSP_CERTSTATUS_GOOD, 60s, true}), "about another certificate"},
           {scene.answer({V_OCSP_CERTSTATUS_GOOD, 48h}), "not in force"},
           {scene.answer({V_OCSP_CERTSTATUS_GOOD, -48h}), "not in force"},
           {scene.answer({V_OCSP_CERTSTATUS_UNKNOWN}), "does not know"},
           {"", "cannot be read"},
           {"<html>", "cannot be read"},
           {good.substr(0, good.size() / 2), "cannot be read"},
           {std::string("\x30\x03\x0a\x01\x06", 5), "says unauthorized"}}) {
    CAPTURE(each.why);
    const auto status = scene.read(each.der);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == "BAD_STATUS_RESPONSE");
    CHECK(status.error().message.find(each.why) != std::string::npos);
  }
}

TEST_CASE("a request for what is no certificate is none") {
  CHECK(make_status_request({}, {}).empty());
}
