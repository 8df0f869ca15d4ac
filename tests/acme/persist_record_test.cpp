#include "acme/persist_record.h"

#include <doctest/doctest.h>

using namespace nolapse::acme;

namespace {

const Time now = *parse_rfc3339("2026-11-26T09:00:00Z");
const std::string account = "https://ca.example/acct/123";
const PersistRequest plain{{"authority.example", "ca.example"}, {account}, false};
const PersistRequest wildcard{{"authority.example", "ca.example"}, {account}, true};

std::string fault_of(const std::vector<std::string>& values,
                     const PersistRequest& request = plain) {
  return judge_persist_records(values, request, now).fault;
}

}  // namespace

TEST_CASE("80: the record that is proposed is one that a CA takes") {
  CHECK(persist_record_name("shop.test") == "_validation-persist.shop.test");
  CHECK(persist_record_value(plain) == "authority.example; accounturi=" + account);
  CHECK(persist_record_value(wildcard) ==
        "authority.example; accounturi=" + account + "; policy=wildcard");
  for (const PersistRequest& request : {plain, wildcard}) {
    CHECK(fault_of({persist_record_value(request)}, request) == "");
  }
  CHECK(persist_zone_line("shop.test", plain) ==
        "_validation-persist.shop.test. TXT \"authority.example; accounturi=" + account + "\"");
  const std::string start = "authority.example; accounturi=https://ca.example/";
  const PersistRequest huge{{"authority.example"}, {"https://ca.example/" + std::string(300, 'a')}};
  CHECK(persist_zone_line("shop.test", huge) ==
        "_validation-persist.shop.test. TXT \"" + start + std::string(255 - start.size(), 'a') +
            "\" \"" + std::string(300 + start.size() - 255, 'a') + "\"");
}

TEST_CASE("80: the account of draft -02 is a hash of domain, key and account") {
  const char* thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
  CHECK(persist_account_hash("ca:", "example.com", thumbprint, account) ==
        "ca:sha-256/5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw");
  CHECK(persist_account_hash("", "*", thumbprint, account) ==
        "sha-256/NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug");
}

TEST_CASE("80: records are judged as the CAs that there are judge them") {
  struct Row {
    std::vector<std::string> values;
    std::string fault;  // empty: good
    bool wildcard = false;
  };
  const std::string good = "ca.example;accounturi=" + account;
  const std::string other = "its record is for another account, https://ca.example/acct/9";
  const std::string unread = "its record for ca.example: ";
  for (const Row& row : std::vector<Row>{
           {{}, "there is no such record"},
           {{"v=spf1 -all", "other.example; accounturi=" + account},
            "its records are for other CAs"},
           {{good}, ""},
           {{"other.example; junk;", good}, ""},
           {{"ca.example;", "ca.example; accounturi=x y", good}, ""},
           {{" \tauthority.example ;  ACCOUNTURI = " + account +
             " ; new = thing ;"
             " Policy = WildCard ; persistUntil = 4102444800 "},
            "",
            true},
           {{"ca.example; accounturi=https://ca.example/acct/9"}, other},
           {{"ca.example"}, unread + "it has no accounturi"},
           {{"ca.example; accounturi="}, unread + "it has no accounturi"},
           {{good + ";"}, unread + "it has an empty parameter, or a semicolon at its end"},
           {{good + "; policy"}, unread + "\"policy\" is no TAG=VALUE"},
           {{good + "; =x"}, unread + "\"=x\" is no TAG=VALUE"},
           {{good + "; AccountURI=" + account}, unread + "it has accounturi twice"},
           {{good + "; note=a b"}, unread + "the value of note has spaces or worse in it"},
           {{good + "; persistUntil=soon"},
            unread + "persistUntil is no number of seconds: \"soon\""},
           {{good + "; persistUntil="}, unread + "persistUntil is no number of seconds: \"\""},
           {{good + "; persistUntil=99999999999999"}, ""},
           {{good + "; persistUntil=1"}, "its record has ended, at 1970-01-01T00:00:01Z"},
           {{good + "; persistUntil=-1"}, "its record has ended, at 1970-01-01T00:00:00Z"},
           {{good}, "its record has no policy=wildcard, so that it is for no wildcard", true},
           {{good + "; policy=all"},
            "its record has no policy=wildcard, so that it is for no wildcard",
            true},
           {{good + "; policy=all"}, ""},
           // The nearest to success is told.
           {{"ca.example; accounturi=https://ca.example/acct/9", good + "; persistUntil=1",
             good + ";"},
            "its record has ended, at 1970-01-01T00:00:01Z"},
           {{"ca.example", "ca.example; accounturi=https://ca.example/acct/9"}, other},
       }) {
    CAPTURE(row.values);
    CHECK(fault_of(row.values, row.wildcard ? wildcard : plain) == row.fault);
  }
}

TEST_CASE("80: a record tells when it ends") {
  const std::string good = "ca.example;accounturi=" + account;
  CHECK_FALSE(judge_persist_records({good}, plain, now).until);
  const auto judgement = judge_persist_records({good + ";persistUntil=1796000000"}, plain, now);
  CHECK(judgement.fault == "");
  CHECK(judgement.until == Time{std::chrono::seconds{1796000000}});
}

TEST_CASE("80: what a CA offers is shown to an operator only where it is the CA's own") {
  const std::string url = "https://ca.example/acct/1";
  CHECK(is_account_uri_at(url, url));
  CHECK(is_account_uri_at("https://ca.example/v2/acct/1", url));
  CHECK_FALSE(is_account_uri_at("https://ca.example.evil.test/acct/1", url));
  CHECK_FALSE(is_account_uri_at("https://other.example/acct/1", url));
  CHECK_FALSE(is_account_uri_at("https://ca.example/acct/1; policy=wildcard", url));
  CHECK_FALSE(is_account_uri_at("", url));
  CHECK(is_issuer_name("letsencrypt.org"));
  for (const char* name : {"", "a b", "a;b", "A.test", "a\"b"}) CHECK_FALSE(is_issuer_name(name));
}
