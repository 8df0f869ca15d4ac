// Revocation lists: what is believed of one, and why not of another.
#include "acme/revocation_list.h"

#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "tests/support/test_issuer.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;
using nolapse::LeafOptions;
using nolapse::RevocationListOptions;
using nolapse::TestIssuer;

namespace {

const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
const std::string place = "http://crl.test/7.crl";

struct Authority {
  TestIssuer root = TestIssuer::root("Test Root", now - 24h * 9, now + 24h * 365);
  TestIssuer issuer = root.intermediate("Test Intermediate");
  TestIssuer namesake = root.intermediate("Test Intermediate");
  TestIssuer other = root.intermediate("Another");

  RevocationListOptions options() const {
    RevocationListOptions list;
    list.this_update = now - 1h;
    list.next_update = now + 24h * 7;
    list.revoked = {{"\x87\x65", now - 3h, 1}, {"\x01", now - 2h, 0}, {"\x05", now - 1h, 4}};
    list.place = place;
    return list;
  }
  Result<RevocationList> read(const std::string& body, const std::string& url = place) const {
    return parse_revocation_list(body, *parse_certificate(issuer.certificate()), url, now);
  }
  std::string fault(const RevocationListOptions& list) const {
    const auto read_list = read(issuer.sign_revocation_list(list));
    return read_list ? "" : read_list.error().message;
  }
};

std::string pem_of_list(const std::string& der) {
  const std::string text = base64url_encode(der);
  std::string pem = "-----BEGIN X509 CRL-----\n";
  for (std::size_t i = 0; i < text.size(); i += 64) {
    for (const char c : text.substr(i, 64)) pem += c == '-' ? '+' : c == '_' ? '/' : c;
    pem += "\n";
  }
  pem.insert(pem.size() - 1, (4 - text.size() % 4) % 4, '=');
  return pem + "-----END X509 CRL-----\n";
}

}  // namespace

TEST_CASE("a revocation list tells who is revoked, since when and why [RFC 5280 §5.1]") {
  const Authority authority;
  const std::string der = authority.issuer.sign_revocation_list(authority.options());
  for (const std::string& body : {der, pem_of_list(der)}) {
    const auto list = authority.read(body);
    if (!list) FAIL(list.error().message);
    CHECK(list->size() == 3);
    CHECK(list->next_update() == now + 24h * 7);
    // As a certificate has it, with the zero that keeps it positive.
    REQUIRE(list->find("008765"));
    CHECK(list->find("008765")->at == now - 3h);
    CHECK(list->find("008765")->reason == "keyCompromise");
    CHECK(list->find("01")->reason == "unspecified");
    CHECK(list->find("05")->reason == "superseded");
    for (const char* serial : {"02", "8766", "", "0", "x1", "87650000"}) {
      CAPTURE(serial);
      CHECK_FALSE(list->find(serial));
    }
    CHECK_FALSE(list->find(std::string(42, 'f')));
  }
}

TEST_CASE("a reason for a revocation is given by its name or its number [RFC 5280 §5.3.1]") {
  CHECK(parse_revocation_reason("unspecified") == 0);
  CHECK(parse_revocation_reason("keyCompromise") == 1);
  CHECK(parse_revocation_reason("affiliationChanged") == 3);
  CHECK(parse_revocation_reason("superseded") == 4);
  CHECK(parse_revocation_reason("cessationOfOperation") == 5);
  for (int reason = 0; reason <= 10; ++reason) {
    CHECK(parse_revocation_reason(std::to_string(reason)) == reason);
  }
  for (const char* none : {"", "11", "-1", "1 ", "01", "KeyCompromise", "boredom"}) {
    CAPTURE(none);
    CHECK_FALSE(parse_revocation_reason(none));
  }
}

TEST_CASE("a list that names no place, no next update or no certificate is a list all the same") {
  const Authority authority;
  RevocationListOptions list = authority.options();
  list.scope = "onlyuser:TRUE";
  CHECK(authority.fault(list) == "");
  list.place.clear();
  list.scope.clear();
  CHECK(authority.fault(list) == "");
  list.next_update.reset();
  CHECK(authority.fault(list) == "");
  list.revoked.clear();
  CHECK(authority.fault(list) == "");
}

TEST_CASE("a list that is not for this certificate, or not for now, is refused with the reason") {
  const Authority authority;
  const auto fault = [&](auto change) {
    RevocationListOptions list = authority.options();
    change(list);
    return authority.fault(list);
  };
  using List = RevocationListOptions;
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  CHECK(fault([](List&) {}) == "");
  has(fault([](List& list) { list.place = "http://crl.test/8.crl"; }), "for another place");
  has(fault([](List& list) { list.scope = "onlyCA:TRUE"; }), "not about server certificates");
  has(fault([](List& list) { list.scope = "onlyAA:TRUE"; }), "not about server certificates");
  has(fault([](List& list) { list.scope = "indirectCRL:TRUE"; }), "about several CAs");
  has(fault([](List& list) { list.delta = true; }), "critical extension");
  has(fault([](List& list) { list.next_update = now - 1s; }), "out of date since 2026-11-23");
  has(fault([](List& list) { list.this_update = now + 61min; }), "not in force before");
  // Clocks differ a little.
  CHECK(fault([](List& list) { list.this_update = now + 59min; }) == "");
}

TEST_CASE("a list that the issuer did not sign is not believed [RFC 5280 §6.3.3 f, g]") {
  const Authority authority;
  const std::string good = authority.issuer.sign_revocation_list(authority.options());
  const auto code = [&](const std::string& body) {
    const auto list = authority.read(body);
    return list ? "" : list.error().code;
  };
  CHECK(code(good) == "");
  CHECK(code(authority.namesake.sign_revocation_list(authority.options())) ==
        "BAD_REVOCATION_LIST");
  const auto foreign = authority.read(authority.other.sign_revocation_list(authority.options()));
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().message.find("another CA's") != std::string::npos);
  std::string changed = good;
  changed[changed.find("\x87\x65")] = '\x77';
  CHECK(code(changed) == "BAD_REVOCATION_LIST");
  for (const std::string& body :
       {std::string(), std::string("<html>"), good.substr(0, good.size() - 1), good + "x",
        nolapse::pem_of(authority.issuer.certificate()),
        std::string(largest_revocation_list + 1, 'x')}) {
    CHECK(code(body) == "BAD_REVOCATION_LIST");
  }
  // A leaf may not sign lists.
  LeafOptions leaf;
  leaf.not_after = now + 24h;
  leaf.common_name = "Test Intermediate";
  const auto key = *PrivateKey::generate(KeyType::ecdsa_p256);
  const auto refused =
      parse_revocation_list(good, *parse_certificate(authority.root.issue(leaf, key)), place, now);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("may not sign") != std::string::npos);
}

TEST_CASE("a certificate tells where its CA keeps its list [RFC 5280 §4.2.1.13]") {
  const Authority authority;
  using Urls = std::vector<std::string>;
  const auto read = [&](const Urls& urls) {
    LeafOptions leaf;
    leaf.identifiers = {{"dns", "shop.test"}};
    leaf.not_after = now + 24h;
    leaf.revocation_list_urls = urls;
    const auto key = *PrivateKey::generate(KeyType::ecdsa_p256);
    return parse_certificate(authority.issuer.issue(leaf, key))->revocation_list_urls;
  };
  CHECK(read({}) == Urls{});
  CHECK(read({place}) == Urls{place});
  CHECK(read({"ldap://ca.test/cn=x", "https://ca.test/a.crl", place}) ==
        Urls{"https://ca.test/a.crl", place});
  CHECK(read({"http://ca.test/a b"}) == Urls{});
}
