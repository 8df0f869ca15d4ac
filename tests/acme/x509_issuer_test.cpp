#include "acme/x509_issuer.h"

#include <doctest/doctest.h>

#include "acme/x509_authority.h"
#include "tests/support/test_issuer.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;
using nolapse::LeafOptions;
using nolapse::TestIssuer;

namespace {

const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
const Time in_a_year = now + 24h * 365;

struct Issuers {
  PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  TestIssuer root = TestIssuer::root("Root", now - 24h, in_a_year);
  TestIssuer other = TestIssuer::root("Other Root", now - 24h, in_a_year);
  TestIssuer ending = TestIssuer::root("Ending Root", now - 48h, now - 1h);
  TestIssuer between = root.intermediate("Between");
  TestIssuer ended = ending.intermediate("Ended");

  std::string leaf(const TestIssuer& issuer) const {
    LeafOptions leaf;
    leaf.identifiers = {{"dns", "shop.test"}};
    leaf.not_before = now - 1h;
    leaf.not_after = now + 24h * 90;
    return issuer.issue(leaf, key);
  }
};

std::string why(const std::vector<std::string>& chain_der, const std::vector<std::string>& anchors,
                Time when = now) {
  const auto chain = *parse_pem_chain(nolapse::pem_of(chain_der));
  const auto checked = anchors.empty()
                           ? check_issuer_present(chain, when)
                           : check_issuer(chain, nolapse::pem_of(anchors), "in issuer_roots", when);
  return checked ? "" : checked.error().message;
}

}  // namespace

TEST_CASE("what was issued leads to an anchor, or has its issuer with it [RFC 8555 §9.1]") {
  const Issuers by;
  const std::string good = by.leaf(by.between);
  const std::string middle = by.between.certificate();
  struct Row {
    const char* what;
    std::vector<std::string> chain;
    std::vector<std::string> anchors;
    const char* refused;  // empty: it is not
  };
  const Row rows[] = {
      {"the chain to the root", {good, middle}, {by.root.certificate()}, ""},
      {"the root is there as well",
       {good, middle, by.root.certificate()},
       {by.root.certificate()},
       ""},
      {"one of several anchors",
       {good, middle},
       {by.other.certificate(), by.root.certificate()},
       ""},
      {"an anchor that did not sign itself", {good}, {middle}, ""},
      {"a root that issues by itself", {by.leaf(by.root)}, {by.root.certificate()}, ""},
      {"the leaf alone",
       {good},
       {by.root.certificate()},
       "unable to get local issuer certificate (issuer: \"CN=Between\")"},
      {"another root", {good, middle}, {by.other.certificate()}, "(issuer: \"CN=Root\")"},
      {"an issuer that has expired",
       {by.leaf(by.ended), by.ended.certificate()},
       {by.ending.certificate()},
       "certificate has expired"},
      {"no anchor is known, and the issuer is there", {good, middle}, {}, ""},
      {"no anchor is known, and the leaf is alone",
       {good},
       {},
       "comes without its issuer \"CN=Between\", which clients need"},
      {"no anchor is known, and the issuer has expired",
       {by.leaf(by.ended), by.ended.certificate()},
       {},
       "signed by \"CN=Ended\", which expired at 2026-11-23T08:00:00Z"},
      {"no anchor is known, and its own issuer",
       {by.root.certificate()},
       {},
       "signed by itself: no CA stands behind it"},
      {"no anchor is known, and its own issuer twice",
       {by.root.certificate(), by.root.certificate()},
       {},
       "signed by itself"},
      {"a leaf as the issuer", {good, good}, {}, "which is not a CA"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const std::string said = why(row.chain, row.anchors);
    CAPTURE(said);
    CHECK(said.empty() == (*row.refused == '\0'));
    CHECK(said.find(row.refused) != std::string::npos);
  }
}

TEST_CASE("a leaf that begins a little later is judged when it begins") {
  const Issuers by;
  CHECK(why({by.leaf(by.between), by.between.certificate()}, {by.root.certificate()}, now - 90min)
            .empty());
}

TEST_CASE("a file without a certificate stands behind nothing") {
  const Issuers by;
  const auto checked =
      check_issuer(*parse_pem_chain(nolapse::pem_of(by.leaf(by.between))), "no PEM", "here", now);
  CHECK_FALSE(checked);
}

TEST_CASE("an issuer is looked for by the name that OpenSSL's own tools give its file") {
  const Issuers by;
  CHECK(issuer_hash(by.leaf(by.root)) == issuer_hash(by.root.certificate()));
  CHECK(issuer_hash(by.leaf(by.root)) != issuer_hash(by.leaf(by.other)));
  CHECK(issuer_hash(by.leaf(by.root)).size() == 8);
  CHECK(issuer_hash("no certificate").empty());
}
