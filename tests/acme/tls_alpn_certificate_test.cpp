#include "acme/tls_alpn_certificate.h"

#include <doctest/doctest.h>

#include "acme/x509.h"

using namespace nolapse::acme;

namespace {

const Time now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 25}};

std::string certificate_for(const Identifier& identifier) {
  const auto key = PrivateKey::generate(KeyType::ecdsa_p256);
  return make_tls_alpn_certificate(identifier, "token.thumbprint", *key, now).value();
}

}  // namespace

TEST_CASE("47: a validation certificate names one identifier and proves one authorization") {
  const Identifier shop{"dns", "shop.example"};
  const std::string der = certificate_for(shop);
  const auto facts = parse_certificate(der);
  REQUIRE(facts);
  CHECK(facts->subject_alternative_names == std::vector{shop});
  CHECK(facts->subject == facts->issuer);
  CHECK(facts->not_before < now);
  CHECK(facts->not_after > now);
  CHECK(proves_by_tls_alpn(der, shop, "token.thumbprint"));
  CHECK_FALSE(proves_by_tls_alpn(der, shop, "other.thumbprint"));
  CHECK_FALSE(proves_by_tls_alpn(der, {"dns", "www.shop.example"}, "token.thumbprint"));
  CHECK_FALSE(proves_by_tls_alpn("", shop, "token.thumbprint"));
}

TEST_CASE("47: the extension is critical and wraps an OCTET STRING of 32 octets [RFC 8737 §3]") {
  const std::string der = certificate_for({"dns", "shop.example"});
  // OID 1.3.6.1.5.5.7.1.31, BOOLEAN true, OCTET STRING of 34, OCTET STRING of 32.
  const std::string wanted("\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff\x04\x22\x04\x20",
                           17);
  CHECK(der.find(wanted) != std::string::npos);
}

TEST_CASE("46: addresses are asked for by their reverse names [RFC 8738 §6]") {
  struct Row {
    Identifier identifier;
    const char* name;
  };
  for (const Row& row :
       {Row{{"dns", "shop.example"}, "shop.example"},
        Row{{"ip", "192.0.2.1"}, "1.2.0.192.in-addr.arpa"},
        Row{{"ip", "2001:db8::1"},
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}}) {
    CHECK(tls_alpn_server_name(row.identifier) == row.name);
  }
  const Identifier address{"ip", "2001:db8::1"};
  CHECK(proves_by_tls_alpn(certificate_for(address), address, "token.thumbprint"));
}
