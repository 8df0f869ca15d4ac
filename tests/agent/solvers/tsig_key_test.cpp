#include <doctest/doctest.h>

#include "agent/solvers/dns_rfc2136.h"

using namespace nolapse;

TEST_CASE("a TSIG key is read in the forms in which name servers write it") {
  struct Row {
    const char* text;
    const char* name;
    const char* algorithm;
  };
  for (const Row& row :
       {Row{"key \"nolapse\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n", "nolapse",
            "hmac-sha256"},
        Row{"key nolapse. { algorithm hmac-sha512; secret c2VjcmV0; };", "nolapse", "hmac-sha512"},
        Row{"# made by hand; key x\n// secret \"abc\";\n/* algorithm hmac-md5;\n */ key nolapse {\n"
            "  algorithm HMAC-SHA256; # as the docs say\n  Secret \"c2VjcmV0\"; // here\n};",
            "nolapse", "hmac-sha256"},
        Row{"# of ns1\nHMAC-SHA512:nolapse:c2VjcmV0", "nolapse", "hmac-sha512"},
        Row{"hmac-sha256:nolapse.shop:c2VjcmV0\n", "nolapse.shop", "hmac-sha256"}}) {
    CAPTURE(row.text);
    const auto key = parse_tsig_key(row.text);
    REQUIRE(key);
    CHECK(key->name == row.name);
    CHECK(key->algorithm == row.algorithm);
    CHECK(key->secret == "secret");
  }
}

TEST_CASE("a TSIG secret may hold what begins a comment elsewhere") {
  for (const char* text :
       {"key n { algorithm hmac-sha256; secret \"//8/aaaa\"; };",
        "key n { algorithm hmac-sha256; secret //8/aaaa; };",
        "key n { algorithm hmac-sha256; secret a//8aaaa; };", "hmac-sha256:n:a//8aaaa"}) {
    CAPTURE(text);
    CHECK(parse_tsig_key(text).has_value() ==
          (std::string_view(text).find(" //") == std::string_view::npos));
  }
}

TEST_CASE("what is no TSIG key is refused with what to do, and never quoted") {
  for (const char* text :
       {"", "c2VjcmV0", "hmac-sha256:nolapse", "hmac-sha256::c2VjcmV0",
        "hmac-sha256:nolapse:", "hmac-sha256:nolapse:c2Vj*mV0", "hmac-magic:nolapse:c2VjcmV0",
        "key nolapse { secret c2VjcmV0; };", "key { algorithm hmac-sha256; secret c2VjcmV0; };"}) {
    CAPTURE(text);
    const auto key = parse_tsig_key(text);
    REQUIRE_FALSE(key);
    CHECK(key.error().code == "BAD_TSIG_KEY");
    CHECK(key.error().message.find("tsig-keygen") != std::string::npos);
    CHECK(key.error().message.find("c2Vj") == std::string::npos);
  }
}
