#include "acme/identifier.h"

#include <doctest/doctest.h>

using namespace nolapse::acme;

TEST_CASE("names and addresses get their canonical form [RFC 8555 §7.1.3, RFC 8738]") {
  struct Row {
    const char* text;
    const char* type;
    const char* value;
  };
  const Row rows[] = {
      {"Shop.Example", "dns", "shop.example"},
      {"*.shop.example", "dns", "*.shop.example"},
      {"bücher.example", "dns", "xn--bcher-kva.example"},
      {"xn--bcher-kva.example", "dns", "xn--bcher-kva.example"},
      {"192.0.2.1", "ip", "192.0.2.1"},
      {"2001:0DB8:0:0::1", "ip", "2001:db8::1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto identifier = parse_identifier(row.text);
    REQUIRE(identifier);
    CHECK(identifier->type == row.type);
    CHECK(identifier->value == row.value);
  }
}

TEST_CASE("names that no CA accepts are refused with the reason") {
  const std::pair<std::string, const char*> rows[] = {
      {"", "is empty"},
      {"shop.example.", "ends with a dot"},
      {"shop..example", "empty label"},
      {"_acme.example", "'_'"},
      {"shop example", "host name"},
      {"a.*.example", "'*'"},
      {"*.com", "top-level domain"},
      {"-a.example", "hyphen"},
      {"ab--c.example", "--"},
      {"1.2.3.256", "neither a host name nor an IP address"},
      {"fe80::1%eth0", "neither a host name nor an IP address"},
      {"a.b.c.d.e.f.g.h.i.j.k", "more than 10 labels"},
      {std::string(64, 'a') + ".example", "63 characters"},
      {std::string(64, 'A') + ".example", "host name"},
      {std::string("a\0b.example", 11), "NUL"},
  };
  for (const auto& [text, reason] : rows) {
    const auto& case_of = text;  // clang 14 captures no structured binding
    CAPTURE(case_of);
    const auto identifier = parse_identifier(text);
    REQUIRE_FALSE(identifier);
    CHECK(identifier.error().kind == ErrorKind::input);
    CHECK_MESSAGE(identifier.error().message.find(reason) != std::string::npos,
                  identifier.error().message);
  }
}

TEST_CASE("a wildcard covers exactly one label [RFC 6125 §6.4.3]") {
  CHECK(name_covers("shop.example", "shop.example"));
  CHECK(name_covers("*.shop.example", "www.shop.example"));
  CHECK_FALSE(name_covers("*.shop.example", "shop.example"));
  CHECK_FALSE(name_covers("*.shop.example", "a.b.shop.example"));
  CHECK_FALSE(name_covers("shop.example", "www.shop.example"));
  CHECK_FALSE(name_covers("*.shop.example", ".shop.example"));
}
