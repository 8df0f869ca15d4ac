#include "acme/caa.h"

#include <doctest/doctest.h>

using namespace nolapse::acme;

namespace {

const CaaRequest request{
    {"ca.example", "other-name.example"}, "https://ca.example/acct/1", "http-01"};

std::string refusal(const std::vector<const char*>& texts, bool wildcard = false) {
  std::vector<CaaRecord> records;
  for (const char* text : texts) records.push_back(parse_caa_record(text));
  return caa_refusal(records, wildcard, request);
}

}  // namespace

TEST_CASE("77: what a set of CAA records lets a CA do [RFC 8659 §4, RFC 8657 §3, §4]") {
  struct Row {
    std::vector<const char*> records;
    bool name;      // may it issue for a name,
    bool wildcard;  // and for a wildcard?
  };
  const std::vector<Row> rows = {
      {{}, true, true},
      {{"0 issue ca.example"}, true, true},
      {{"0 issue CA.Example"}, true, true},
      {{"0 ISSUE other-name.example"}, true, true},
      {{"0 issue other.example"}, false, false},
      {{"0 issue ;"}, false, false},
      {{"0 issue "}, false, false},
      {{"0 issue other.example", "0 issue ca.example"}, true, true},
      {{"0 issuewild ca.example"}, true, true},
      {{"0 issuewild other.example"}, true, false},
      {{"0 issue other.example", "0 issuewild ca.example"}, false, true},
      {{"0 issue ca.example", "0 issuewild ;"}, true, false},
      {{"0 iodef mailto:ops@shop.example"}, true, true},
      {{"128 iodef mailto:ops@shop.example"}, true, true},
      {{"0 future thing"}, true, true},
      {{"128 future thing"}, false, false},
      {{"1 future thing"}, false, false},
      {{"128 issue ca.example"}, true, true},
      {{"0 issue ca.example", "128 future thing"}, false, false},
      {{"0 issue ca.example; accounturi=https://ca.example/acct/1"}, true, true},
      {{"0 issue ca.example ; accounturi = https://ca.example/acct/1 "}, true, true},
      {{"0 issue ca.example; accounturi=https://ca.example/acct/2"}, false, false},
      {{"0 issue ca.example; accounturi=https://ca.example/acct/1; "
        "accounturi=https://ca.example/acct/1"},
       false,
       false},
      {{"0 issue ca.example; accounturi=https://ca.example/acct/2", "0 issue ca.example"},
       true,
       true},
      {{"0 issue ca.example; validationmethods=http-01"}, true, true},
      {{"0 issue ca.example; validationmethods=dns-01,http-01"}, true, true},
      {{"0 issue ca.example; validationmethods=dns-01"}, false, false},
      {{"0 issue ca.example; validationmethods="}, false, false},
      {{"0 issue ca.example; unknown=1"}, true, true},
      {{"0 issue ca.example; no value"}, false, false},
      {{"nonsense"}, false, false},
      {{"0 is_sue ca.example"}, false, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.records);
    CHECK(refusal(row.records).empty() == row.name);
    CHECK(refusal(row.records, true).empty() == row.wildcard);
  }
}

TEST_CASE("77: a refusal quotes the record and says what is wrong with it") {
  CHECK(refusal({"0 issue other.example"}) == "issue \"other.example\" names another CA");
  CHECK(refusal({"0 issue ;"}) == "issue \";\" lets no CA issue");
  CHECK(refusal({"128 future thing"}) == "future \"thing\" is critical, and no CA knows it");
  CHECK(refusal({"0 issue ca.example; validationmethods=dns-01"}) ==
        "issue \"ca.example; validationmethods=dns-01\" does not allow http-01");
}

TEST_CASE("77: the names above count where the ones below have no records [RFC 8659 §3]") {
  CHECK(caa_names({"dns", "a.b.shop.example"}) ==
        std::vector<std::string>{"a.b.shop.example", "b.shop.example", "shop.example", "example"});
  CHECK(caa_names({"dns", "*.shop.example"}) ==
        std::vector<std::string>{"shop.example", "example"});
  CHECK(caa_names({"ip", "192.0.2.1"}).empty());
}
