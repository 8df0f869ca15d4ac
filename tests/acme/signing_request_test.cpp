#include "acme/signing_request.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme/x509.h"

using namespace nolapse::acme;

namespace {

struct Wish {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  const char* names = "DNS:shop.test,DNS:www.shop.test";  // empty: no subjectAltName
  const char* common_name = "";
  const EVP_MD* digest = EVP_sha256();
};

struct Made {
  std::string pem;
  std::string der;
};

Made make(const Wish& wish) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, wish.key);
  if (*wish.common_name != '\0') {
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name), -1, -1, 0);
  }
  if (*wish.names != '\0') {
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions,
                           X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wish.names));
    X509_REQ_add_extensions(request, extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  REQUIRE(X509_REQ_sign(request, wish.key, wish.digest) > 0);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  char* data = nullptr;
  Made made;
  const long size = BIO_get_mem_data(bio, &data);
  made.pem.assign(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  unsigned char* der = nullptr;
  const int der_size = i2d_X509_REQ(request, &der);
  made.der.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(der_size));
  OPENSSL_free(der);
  X509_REQ_free(request);
  EVP_PKEY_free(wish.key);
  return made;
}

std::string pem_of(const std::string& der) {
  return to_pem(SigningRequest{der, {}, KeyType::ecdsa_p256, {}});
}

std::string fault_of(const std::string& text) {
  const auto request = parse_signing_request(text);
  if (request) return {};
  CHECK(request.error().kind == ErrorKind::input);
  CHECK(request.error().code == "BAD_SIGNING_REQUEST");
  return request.error().message;
}

}  // namespace

TEST_CASE("an operator's signing request says its key and its names") {
  Wish wish;
  wish.names = "DNS:www.shop.test,DNS:Shop.Test,IP:192.0.2.1,DNS:*.shop.test,DNS:shop.test";
  wish.common_name = "shop.test";
  const Made made = make(wish);
  const auto request = parse_signing_request("a line before it\n" + made.pem);
  REQUIRE(request);
  CHECK(request->der == made.der);
  CHECK(request->key_type == KeyType::ecdsa_p256);
  CHECK(request->identifiers == std::vector<Identifier>{{"dns", "*.shop.test"},
                                                        {"dns", "shop.test"},
                                                        {"dns", "www.shop.test"},
                                                        {"ip", "192.0.2.1"}});
  CHECK(to_pem(*request) == made.pem);

  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p384);
  const auto ours = make_signing_request(key, {{"dns", "shop.test"}}, true);
  const auto read = parse_signing_request(pem_of(*ours));
  REQUIRE(read);
  CHECK(read->public_key_der == key.public_key_der());
  CHECK(read->key_type == KeyType::ecdsa_p384);
}

TEST_CASE("a file that is no usable signing request is refused, with what to do") {
  const Made good = make({});
  const std::string make_one =
      "; make one with: openssl req -new -key KEY -subj / -addext subjectAltName=DNS:NAME";
  CHECK(fault_of("") == "it is no certificate signing request in PEM form" + make_one);
  CHECK(fault_of("words") == "it is no certificate signing request in PEM form" + make_one);
  CHECK(fault_of(good.der) ==
        "it is in DER form, not PEM; convert it with: openssl req -inform DER -in OLD -out NEW");
  const std::string key = PrivateKey::generate(KeyType::ecdsa_p256)->to_pem();
  CHECK(fault_of(key) == "it holds a PRIVATE KEY, no certificate signing request" + make_one);
  CHECK(fault_of(good.pem + key) ==
        "it holds more than the certificate signing request; leave only that block in it");
  CHECK(fault_of(pem_of(good.der.substr(0, 100))) == "it is damaged; make it anew");
  CHECK(fault_of(pem_of(good.der + "x")) == "it is damaged; make it anew");
  CHECK(fault_of(make({EVP_EC_gen("P-256"), ""}).pem) ==
        "it has no subjectAltName, so it names nobody" + make_one);
  CHECK(fault_of(make({EVP_EC_gen("P-256"), "", "shop.test"}).pem) ==
        "it has no subjectAltName, so it names nobody" + make_one);
}

TEST_CASE("a signing request that was changed after it was signed is refused") {
  std::string der = make({}).der;
  const std::size_t at = der.find("www.shop.test");
  REQUIRE(at != std::string::npos);
  der.replace(at, 3, "xxx");
  CHECK(fault_of(pem_of(der)) ==
        "its signature is not that of its key: it was damaged or changed; make it anew");
}

TEST_CASE("keys and digests that CAs do not take are refused before a CA has to") {
  const std::string fix =
      "; make it with a key on P-256 or P-384, or of RSA with 2048, 3072 or 4096 bits";
  CHECK(fault_of(make({EVP_RSA_gen(1024)}).pem) ==
        "its key (RSA of 1024 bits) is none that CAs take" + fix);
  CHECK(fault_of(make({EVP_EC_gen("P-521")}).pem) ==
        "its key (EC of 521 bits) is none that CAs take" + fix);
  CHECK(fault_of(make({EVP_EC_gen("secp256k1")}).pem) ==
        "its key (EC of 256 bits) is none that CAs take" + fix);
  CHECK(
      fault_of(make({EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "DNS:shop.test", "", nullptr})
                   .pem) == "its key (ED25519 of 256 bits) is none that CAs take" + fix);
  CHECK(fault_of(make({EVP_EC_gen("P-256"), "DNS:shop.test", "", EVP_sha1()}).pem) ==
        "it is signed with SHA1, which CAs refuse; make it anew with -sha256");
  CHECK(fault_of(make({EVP_RSA_gen(2048)}).pem) == "");
}

TEST_CASE("names in a signing request that no CA certifies are refused") {
  const auto named = [](const char* names, const char* common_name = "") {
    return fault_of(make({EVP_EC_gen("P-256"), names, common_name}).pem);
  };
  CHECK(named("DNS:shop.test,email:ops@shop.test") ==
        "it asks for a name that is neither a host name nor an address; make it anew without that "
        "one");
  CHECK(named("DNS:a_b.test") ==
        "its name \"a_b.test\" has the character '_', which no CA accepts in a host name; make it "
        "anew");
  const std::string fix = "; CAs take it for a name, so leave it out (-subj /) or add it there";
  CHECK(named("DNS:shop.test", "Shop Ltd") ==
        "its common name \"Shop Ltd\" is not in its subjectAltName" + fix);
  CHECK(named("DNS:shop.test", "other.test") ==
        "its common name \"other.test\" is not in its subjectAltName" + fix);
}
