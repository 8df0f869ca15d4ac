// Signatures and keys against the RFCs' own vectors.
#include "acme/jws.h"

#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <memory>

#include "acme/base64url.h"

using namespace nolapse::acme;
using nlohmann::json;

namespace {

using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

Number number(const std::string& text) {
  const std::string octets = *base64url_decode(text);
  return {BN_bin2bn(reinterpret_cast<const unsigned char*>(octets.data()),
                    static_cast<int>(octets.size()), nullptr),
          BN_free};
}

// The key of RFC 7515 §A.2.1, which is also that of RFC 7638 §3.1's neighbour documents.
PrivateKey rsa_key(const std::string& n, const std::string& d) {
  const Number modulus = number(n);
  const Number exponent = number("AQAB");
  const Number secret = number(d);
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(),
                                                                              OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  if (!d.empty()) OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_D, secret.get());
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(
      OSSL_PARAM_BLD_to_param(build.get()), OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  REQUIRE(EVP_PKEY_fromdata(context.get(), &key, d.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                            parameters.get()) == 1);
  return PrivateKey(key);
}

const std::string rfc7515_n =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4"
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdb"
    "BYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-D"
    "WNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const std::string rfc7515_d =
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoA"
    "Je46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpR"
    "LI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZF"
    "D9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";

}  // namespace

TEST_CASE("RS256 signs the RFC's example to the letter [RFC 7515 §A.2]") {
  const PrivateKey key = rsa_key(rfc7515_n, rfc7515_d);
  CHECK(signature_algorithm(key) == "RS256");
  const auto signature = sign(key,
                              "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
                              "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
  REQUIRE(signature);
  CHECK(
      base64url_encode(*signature) ==
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
      "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
      "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
      "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
}

TEST_CASE("the thumbprint of the RFC's example key [RFC 7638 §3.1]") {
  const PrivateKey key = rsa_key(
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
      "BJECPeb"
      "WKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
      "FDW2QvzqY368Q"
      "QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
      "bFTWhAI4vMQFh6WeZu0fM4lFd2"
      "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
      "");
  CHECK(jwk_thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST_CASE("10,000 ES256 signatures are 64 octets long; coordinates are 32 [RFC 7518 §3.4]") {
  // Every 128th signature has an R or S with a leading zero, every 128th key such a coordinate.
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  for (int i = 0; i < 10000; ++i) {
    if (i % 20 == 0) {
      key = *PrivateKey::generate(KeyType::ecdsa_p256);
      const json jwk = public_jwk(key);
      REQUIRE(base64url_decode(jwk["x"].get<std::string>())->size() == 32);
      REQUIRE(base64url_decode(jwk["y"].get<std::string>())->size() == 32);
    }
    const auto signature = sign(key, "message " + std::to_string(i));
    REQUIRE(signature);
    REQUIRE(signature->size() == 64);
  }
}

TEST_CASE("ES384 signatures are 96 octets long [RFC 7518 §3.4]") {
  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p384);
  CHECK(signature_algorithm(key) == "ES384");
  for (int i = 0; i < 300; ++i) {
    const auto signature = sign(key, "message");
    REQUIRE(signature);
    REQUIRE(signature->size() == 96);
  }
  CHECK(base64url_decode(public_jwk(key)["x"].get<std::string>())->size() == 48);
}

TEST_CASE("POST-as-GET has an empty payload, and no header but the protected one [RFC 8555 §6.3]") {
  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  const auto body = sign_jws(key, {{"nonce", "n"}, {"url", "u"}, {"kid", "k"}}, "");
  REQUIRE(body);
  const json jws = json::parse(*body);
  CHECK(jws.size() == 3);
  CHECK(jws["payload"] == "");
  const json header = json::parse(*base64url_decode(jws["protected"].get<std::string>()));
  CHECK(header == json{{"alg", "ES256"}, {"kid", "k"}, {"nonce", "n"}, {"url", "u"}});
}

TEST_CASE("an external account binding signs the account key with HS256 [RFC 8555 §7.3.4]") {
  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  const json binding = external_account_binding(key, "kid-1", "secret", "https://ca/new-account");
  const json header = json::parse(*base64url_decode(binding["protected"].get<std::string>()));
  CHECK(header == json{{"alg", "HS256"}, {"kid", "kid-1"}, {"url", "https://ca/new-account"}});
  CHECK(json::parse(*base64url_decode(binding["payload"].get<std::string>())) == public_jwk(key));
  CHECK(base64url_decode(binding["signature"].get<std::string>())->size() == 32);
}

TEST_CASE("keys go to PEM and back, and an encrypted or broken one is refused in one line") {
  for (const KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384, KeyType::rsa_2048}) {
    const PrivateKey key = *PrivateKey::generate(type);
    const auto again = PrivateKey::from_pem(key.to_pem());
    REQUIRE(again);
    CHECK(again->public_key_der() == key.public_key_der());
    CHECK(again->type() == type);
    CHECK(parse_key_type(name_of(type)) == type);
  }
  CHECK_FALSE(PrivateKey::from_pem(""));
  CHECK_FALSE(
      PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
  CHECK_FALSE(PrivateKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH"));
}

TEST_CASE("a key is read in the form that other programs write, and of two it is the first") {
  const PrivateKey other = *PrivateKey::generate(KeyType::ecdsa_p256);
  for (const KeyType type : {KeyType::ecdsa_p256, KeyType::rsa_2048}) {
    const PrivateKey key = *PrivateKey::generate(type);
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
    REQUIRE(PEM_write_bio_PrivateKey_traditional(bio.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                                 nullptr) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    const std::string text(data, static_cast<std::size_t>(size));
    for (const std::string& pem : {text, text + other.to_pem(), key.to_pem() + text}) {
      const auto read = PrivateKey::from_pem(pem);
      REQUIRE(read);
      CHECK(read->public_key_der() == key.public_key_der());
    }
  }
}
