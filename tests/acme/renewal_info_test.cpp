// Renewal information: identifiers, hostile windows, when to ask again, and the one instant that
// is chosen in a window.
#include "acme/renewal_info.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "acme/json_read.h"
#include "tests/support/test_issuer.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;
using namespace std::string_literals;
using nlohmann::json;

namespace {

const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");

const std::string rfc_key_identifier =
    "\x69\x88\x5B\x6B\x87\x46\x40\x41\xE1\xB3\x7B\x84\x7B\xA0\xAE\x2C\xDE\x01\xC8\xD4";

std::string id_of(const std::string& key_identifier, const std::string& serial_number) {
  Certificate certificate;
  certificate.authority_key_identifier = key_identifier;
  certificate.serial_number = serial_number;
  return renewal_certificate_id(certificate);
}

std::string window(const std::string& start, const std::string& end) {
  return json{{"suggestedWindow", {{"start", start}, {"end", end}}}}.dump();
}

RenewalInfo hours_from_now(int start, int end) {
  return {now + std::chrono::hours(start), now + std::chrono::hours(end), {}};
}

}  // namespace

TEST_CASE("a certificate's identifier is its issuer's key and its serial number [RFC 9773 §4.1]") {
  struct Row {
    const char* what;
    std::string key_identifier;
    std::string serial_number;
    std::string id;
  };
  const Row rows[] = {
      {"the RFC's example", rfc_key_identifier, "0087654321",
       "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"},
      {"no zero where none keeps it positive", rfc_key_identifier, "7765432100",
       "aYhba4dGQEHhs3uEe6CuLN4ByNQ.d2VDIQA"},
      {"one octet", "\xff", "01", "_w.AQ"},
      {"20 octets", "\x01\x02", "00ffffffffffffffffffffffffffffffffffffff",
       "AQI.AP________________________8"},
      {"a key identifier with zeros", "\0\0\0"s, "7f", "AAAA.fw"},
      {"no key identifier", "", "01", ""},
      {"no serial number", rfc_key_identifier, "", ""},
      {"a serial number that is no hex", rfc_key_identifier, "0g", ""},
      {"half an octet", rfc_key_identifier, "123", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(id_of(row.key_identifier, row.serial_number) == row.id);
  }
}

TEST_CASE("the identifier of a real certificate keeps the serial number's leading zero") {
  const auto root = nolapse::TestIssuer::root("Test Root", now - 24h, now + 24h * 365);
  const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  nolapse::LeafOptions leaf;
  leaf.identifiers = {{"dns", "shop.test"}};
  leaf.not_before = now;
  leaf.not_after = now + 24h;
  leaf.serial = "\x87\x65\x43\x21";
  const std::string id = renewal_certificate_id(*parse_certificate(root.issue(leaf, key)));
  REQUIRE(id.find('.') != std::string::npos);
  CHECK(id.substr(id.find('.')) == ".AIdlQyE");

  leaf.authority_key_identifier = false;
  CHECK(renewal_certificate_id(*parse_certificate(root.issue(leaf, key))).empty());
}

TEST_CASE("the identifier is appended to the directory's address [RFC 9773 §4.1]") {
  CHECK(renewal_info_url("https://ca/renewal-info", "a.b") == "https://ca/renewal-info/a.b");
  CHECK(renewal_info_url("https://ca/renewal-info/", "a.b") == "https://ca/renewal-info/a.b");
  CHECK(renewal_info_url("", "a.b").empty());
  CHECK(renewal_info_url("https://ca/renewal-info", "").empty());
}

TEST_CASE("a window is read in every form of RFC 3339, cut to seconds [RFC 9773 §4.2]") {
  const auto plain = parse_renewal_info(
      R"({"suggestedWindow":{"start":"2026-11-23T09:00:00Z","end":"2026-11-24T09:00:00Z"},)"
      R"("explanationURL":"https://ca/why?a=1","more":[1,{"x":null}]})");
  REQUIRE(plain);
  CHECK(plain->start == now);
  CHECK(plain->end == now + 24h);
  CHECK(plain->explanation_url == "https://ca/why?a=1");

  const auto fraction = parse_renewal_info(
      window("2026-11-23T10:00:00.999999999+01:00", "2026-11-24T08:59:59.5-00:01"));
  REQUIRE(fraction);
  CHECK(fraction->start == now);
  CHECK(fraction->end == now + 24h + 59s);
  CHECK(fraction->explanation_url.empty());
}

TEST_CASE("a window that is missing, malformed, empty or reversed counts as no answer") {
  const std::string early = "2026-11-23T09:00:00Z";
  const std::string late = "2026-11-24T09:00:00Z";
  const std::string rows[] = {
      "",
      "{",
      "null",
      "[]",
      "\xff\xfe",
      "<html>",
      "{}",
      R"({"suggestedWindow":null})",
      R"({"suggestedWindow":["2026-11-23T09:00:00Z","2026-11-24T09:00:00Z"]})",
      R"({"suggestedWindow":{"start":"2026-11-23T09:00:00Z"}})",
      R"({"suggestedWindow":{"end":"2026-11-23T09:00:00Z"}})",
      R"({"suggestedWindow":{"start":1795424400,"end":1795510800}})",
      window("soon", late),
      window(early, "2026-02-30T09:00:00Z"),
      window(late, early),
      window(early, early),
      window("2026-11-23T09:00:00.1Z", "2026-11-23T09:00:00.9Z"),
  };
  for (const std::string& body : rows) {
    CAPTURE(body);
    const auto info = parse_renewal_info(body);
    REQUIRE_FALSE(info);
    CHECK(info.error().kind == ErrorKind::transient);
    CHECK(info.error().code == "BAD_RENEWAL_INFO");
    CHECK(info.error().message.find('\n') == std::string::npos);
  }
  CHECK(parse_renewal_info(window(late, early)).error().message ==
        "the CA's renewal information is of no use: suggestedWindow ends 2026-11-23T09:00:00Z, "
        "not after its start 2026-11-24T09:00:00Z");
}

TEST_CASE("an explanation that is no printable web address is dropped, the window is kept") {
  const auto explanation = [](const json& url) {
    json document = json::parse(window("2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"));
    document["explanationURL"] = url;
    const auto info = parse_renewal_info(document.dump());
    REQUIRE(info);
    return info->explanation_url;
  };
  CHECK(explanation("http://ca/why") == "http://ca/why");
  CHECK(explanation("https://ca/" + std::string(1989, 'x')).size() == 2000);
  CHECK(explanation("https://ca/" + std::string(1990, 'x')).empty());
  for (const json& url : {json("javascript:alert(1)"), json("file:///etc/passwd"), json("ca/why"),
                          json("https://ca/\x1b[2J"), json("https://ca/a b"),
                          json("https://ca/\nrm"), json("https://ca/ü"), json(7), json(nullptr)}) {
    CAPTURE(url);
    CHECK(explanation(url).empty());
  }
}

TEST_CASE("the CA says when to ask again, between a minute and a day [RFC 9773 §4.3]") {
  struct Row {
    std::vector<HttpHeader> headers;
    Duration wait;
  };
  const Row rows[] = {
      {{}, 6h},
      {{{"Retry-After", "21600"}}, 6h},
      {{{"retry-after", "7200"}}, 2h},
      {{{"Retry-After", "0"}}, 1min},
      {{{"Retry-After", "59"}}, 1min},
      {{{"Retry-After", "86401"}}, 24h},
      {{{"Retry-After", "99999999999999999999"}}, 24h},
      {{{"Retry-After", "-5"}}, 6h},
      {{{"Retry-After", "soon"}}, 6h},
      {{{"Retry-After", ""}}, 6h},
      {{{"Retry-After", "Mon, 23 Nov 2026 12:00:00 GMT"}}, 3h},
      {{{"Retry-After", "Sun, 22 Nov 2026 12:00:00 GMT"}}, 1min},
      {{{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}}, 24h},
      // The CA's clock and ours need not agree.
      {{{"Retry-After", "Wed, 25 Nov 2026 12:00:00 GMT"},
        {"Date", "Wed, 25 Nov 2026 10:00:00 GMT"}},
       2h},
      {{{"Retry-After", "300"}, {"Date", "Wed, 25 Nov 2026 10:00:00 GMT"}}, 5min},
      {{{"Retry-After", "300"}, {"Date", "yesterday"}}, 5min},
  };
  for (const Row& row : rows) {
    CAPTURE(row.wait.count());
    for (const HttpHeader& header : row.headers) CAPTURE(header.value);
    CHECK(renewal_info_poll_after({200, row.headers, ""}, now) - now == row.wait);
    CHECK(renewal_info_poll_after({404, row.headers, ""}, now) - now == row.wait);
  }
}

TEST_CASE("the chosen instant is a whole second in the window and the same whenever asked") {
  for (const RenewalInfo& info :
       {hours_from_now(0, 1), hours_from_now(-48, -47), hours_from_now(-9000, 9000)}) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      const Time chosen = choose_renewal_instant(info, seed);
      CHECK(chosen >= info.start);
      CHECK(chosen < info.end);
      CHECK(chosen == std::chrono::floor<std::chrono::seconds>(chosen));
      CHECK(chosen == choose_renewal_instant(info, seed));
    }
  }
  // Written down: other compilers, versions and restarts must agree with it.
  CHECK(format_rfc3339(choose_renewal_instant(hours_from_now(0, 43), 1)) == "2026-11-24T18:06:12Z");
  CHECK(format_rfc3339(choose_renewal_instant(hours_from_now(0, 43), 2)) == "2026-11-24T11:00:27Z");
}

TEST_CASE("a window of one second, or one that is none, gives its start") {
  CHECK(choose_renewal_instant({now, now + 1s, {}}, 7) == now);
  CHECK(choose_renewal_instant({now, now + 999ms, {}}, 7) == now);
  CHECK(choose_renewal_instant({now, now, {}}, 7) == now);
  CHECK(choose_renewal_instant({now, now - 1h, {}}, 7) == now);
  const RenewalInfo all{Time::min(), Time::max(), {}};
  CHECK(choose_renewal_instant(all, 7) >= all.start);
}

TEST_CASE("another window gives another instant, the explanation none") {
  RenewalInfo info = hours_from_now(0, 43);
  const Time chosen = choose_renewal_instant(info, 7);
  info.explanation_url = "https://ca/why";
  CHECK(choose_renewal_instant(info, 7) == chosen);
  // Not the old one moved along with its window.
  const RenewalInfo moved = hours_from_now(1, 44);
  CHECK(choose_renewal_instant(moved, 7) - moved.start != chosen - info.start);
  CHECK(choose_renewal_instant(hours_from_now(0, 44), 7) != chosen);
}

TEST_CASE("10,000 certificates issued together spread evenly over their window") {
  constexpr int certificates = 10000;
  constexpr std::size_t bins = 100;
  struct Row {
    const char* seeds;
    std::uint64_t step;
  };
  // Seeds as poor as they come: counters, and multiples of a power of two.
  for (const Row& row : {Row{"counting", 1}, Row{"high bits only", std::uint64_t{1} << 48}}) {
    CAPTURE(row.seeds);
    const RenewalInfo info = hours_from_now(0, 50);
    std::vector<int> count(bins);
    std::vector<int> per_second_of_hour(3600);
    for (std::uint64_t i = 0; i < certificates; ++i) {
      const Duration offset = choose_renewal_instant(info, i * row.step) - info.start;
      ++count[static_cast<std::size_t>(offset / 30min)];
      ++per_second_of_hour[static_cast<std::size_t>(offset % 1h / 1s)];
    }
    // 100 are expected in each bin with a standard deviation of 10.
    CHECK(*std::min_element(count.begin(), count.end()) > 60);
    CHECK(*std::max_element(count.begin(), count.end()) < 140);
    double chi_square = 0;
    for (const int n : count) chi_square += (n - 100.0) * (n - 100.0) / 100.0;
    CHECK(chi_square > 60);   // 99 degrees of freedom: one in a thousand even spreads
    CHECK(chi_square < 149);  // lies outside 60 … 149
    // 2.8 are expected in each second of the hour: no second is a meeting point.
    CHECK(*std::max_element(per_second_of_hour.begin(), per_second_of_hour.end()) < 15);
  }
}
