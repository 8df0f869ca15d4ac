// base64url, times, durations, tokens: the small textual forms, as tables.
#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "acme/challenge_response.h"
#include "acme/time.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;

TEST_CASE("base64url has no padding and the URL alphabet [RFC 4648 §10, RFC 7515 §C]") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg"},
                                                         {"fo", "Zm8"},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg"},
                                                         {"fooba", "Zm9vYmE"},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\x03\xec\xff\xe0\xc1", "A-z_4ME"}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(base64url_encode(bytes) == text);
    CHECK(base64url_decode(text) == bytes);
  }
}

TEST_CASE(
    "base64url refuses padding, other alphabets, white space and stray bits [RFC 8555 §6.1]") {
  for (const char* text : {"Zg==", "Zm8=", "A+z/", "Zm 9v", "Zh", "Zm9", "Z"}) {
    CAPTURE(text);
    CHECK(base64url_decode(text) == std::nullopt);
  }
}

TEST_CASE("an EAB key is taken in either alphabet, with or without padding") {
  for (const char* text : {"A-z_4ME", "A+z/4ME=", "A+z/4ME", "A-z_4ME="}) {
    CHECK(base64_decode_lenient(text) == std::string("\x03\xec\xff\xe0\xc1"));
  }
}

TEST_CASE("timestamps come with any fraction and any offset [RFC 3339 §5.6]") {
  const std::pair<const char*, const char*> vectors[] = {
      {"2026-06-29T02:45:39.304726266Z", "2026-06-29T02:45:39Z"},
      {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50Z"},
      {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"},
      {"2024-02-29T00:00:00+05:30", "2024-02-28T18:30:00Z"},
      {"2026-11-23t09:00:00z", "2026-11-23T09:00:00Z"},
  };
  for (const auto& [text, expected] : vectors) {
    const auto& case_of = text;  // clang 14 captures no structured binding
    CAPTURE(case_of);
    REQUIRE(parse_rfc3339(text));
    CHECK(format_rfc3339(*parse_rfc3339(text)) == expected);
  }
  CHECK((*parse_rfc3339("1970-01-01T00:00:01.5Z")).time_since_epoch() == 1500ms);
  for (const char* text :
       {"", "garbage", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "2026-01-01"}) {
    const auto& case_of = text;  // clang 14 captures no structured binding
    CAPTURE(case_of);
    CHECK(parse_rfc3339(text) == std::nullopt);
  }
}

TEST_CASE("Retry-After is seconds or a date, and garbage is nothing [RFC 9110 §10.2.3]") {
  const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
  CHECK(parse_retry_after("3", now) == now + 3s);
  CHECK(parse_retry_after(" 0 ", now) == now);
  CHECK(parse_retry_after("Mon, 23 Nov 2026 09:02:00 GMT", now) == now + 2min);
  CHECK(parse_retry_after("Mon, 23 Nov 2026 08:00:00 GMT", now) == now);
  CHECK(parse_retry_after("999999999999", now) == now + 30 * 24h);
  CHECK(parse_retry_after("99999999999999999999999", now) == now + 30 * 24h);
  CHECK(parse_retry_after("Fri, 01 Jan 2100 00:00:00 GMT", now) == now + 30 * 24h);
  for (const char* text : {"", "-5", "abc", "3.5", "Mon, 23 Foo 2026 09:02:00 GMT"}) {
    CAPTURE(text);
    CHECK(parse_retry_after(text, now) == std::nullopt);
  }
}

TEST_CASE("durations are one number and one unit") {
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("15m") == 15min);
  CHECK(parse_duration("12h") == 12h);
  CHECK(parse_duration("30d") == 30 * 24h);
  for (const char* text : {"", "d", "30", "30 d", "-1d", "1.5h", "30D", "999999999999d", "1h30m"}) {
    CAPTURE(text);
    CHECK(parse_duration(text) == std::nullopt);
  }
}

TEST_CASE("durations are shown in the two largest units") {
  CHECK(format_duration(59 * 24h + 3h + 5min) == "59d 3h");
  CHECK(format_duration(24h) == "1d");
  CHECK(format_duration(4min + 10s) == "4m 10s");
  CHECK(format_duration(12s + 300ms) == "12s");
  CHECK(format_duration(350ms) == "0.3s");
  CHECK(format_duration(-2h) == "-2h");
}

TEST_CASE("a token that could name another path is refused [RFC 8555 §8.3]") {
  CHECK(is_valid_token("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"));
  for (const char* token : {"", "../../etc/passwd", "a/b", "a.b", "a b", "a%2f", "ä"}) {
    CAPTURE(token);
    CHECK_FALSE(is_valid_token(token));
  }
  CHECK_FALSE(is_valid_token(std::string(513, 'a')));
}

TEST_CASE("the key authorization of the RFC's example [RFC 8555 §8.1, §8.3]") {
  CHECK(key_authorization("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0",
                          "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI") ==
        "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI");
  CHECK(http01_path("abc") == "/.well-known/acme-challenge/abc");
}
