// What a person may write, and what that means.
#include "agent/core/diagnosis_target.h"

#include <doctest/doctest.h>

using namespace nolapse;

TEST_CASE("hosts, endpoints and URLs are targets") {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* server_name;
    const char* starttls;
    const char* path;
    bool surely_web;
  };
  for (const Case& each : std::vector<Case>{
           {"shop.test", "shop.test", 443, "shop.test", "", "/", true},
           {"shop.test.", "shop.test", 443, "shop.test", "", "/", true},
           {"https://shop.test.:8443/", "shop.test", 8443, "shop.test", "", "/", true},
           {"SHOP.test:8443", "shop.test", 8443, "shop.test", "", "/", true},
           {"shop.test:9000", "shop.test", 9000, "shop.test", "", "/", false},
           {"shop.test:993", "shop.test", 993, "shop.test", "", "", false},
           {"10.0.0.7:443#shop.test", "10.0.0.7", 443, "shop.test", "", "/", true},
           {"10.0.0.7#shop.test", "10.0.0.7", 443, "shop.test", "", "/", true},
           {"mail.test:25", "mail.test", 25, "mail.test", "smtp", "", false},
           {"mail.test:2525!smtp", "mail.test", 2525, "mail.test", "smtp", "", false},
           {"mail.test!imap", "mail.test", 143, "mail.test", "imap", "", false},
           {"::1", "::1", 443, "::1", "", "/", true},
           {"[::1]", "::1", 443, "::1", "", "/", true},
           {"[::1]:9000", "::1", 9000, "::1", "", "/", false},
           {"https://shop.test", "shop.test", 443, "shop.test", "", "/", true},
           {"https://shop.test:9000/cart?id=1#top", "shop.test", 9000, "shop.test", "",
            "/cart?id=1", true},
           {"https://shop.test?x=1", "shop.test", 443, "shop.test", "", "/?x=1", true},
           {"https://[::1]:9000/", "::1", 9000, "::1", "", "/", true},
           {"smtp://mail.test", "mail.test", 25, "mail.test", "smtp", "", false},
           {"smtp://mail.test:2525", "mail.test", 2525, "mail.test", "smtp", "", false},
           {"imaps://mail.test/", "mail.test", 993, "mail.test", "", "", false},
           {"postgresql://db.test", "db.test", 5432, "db.test", "postgres", "", false}}) {
    CAPTURE(each.text);
    const auto target = parse_diagnosis_target(each.text);
    REQUIRE(target);
    CHECK(target->endpoint.host == each.host);
    CHECK(target->endpoint.port == each.port);
    CHECK(target->endpoint.server_name == each.server_name);
    CHECK(target->endpoint.starttls == each.starttls);
    CHECK(target->path == each.path);
    CHECK(target->surely_web == each.surely_web);
    CHECK_FALSE(target->redirects);
  }
  const auto clear = parse_diagnosis_target("http://shop.test/cart");
  REQUIRE(clear);
  CHECK(clear->redirects);
  CHECK(clear->endpoint.port == 80);
}

TEST_CASE("what is none of them is said in a line that tells what to write") {
  for (const char* text : {"",
                           "/",
                           "shop.test/cart",
                           "gopher://shop.test",
                           "https://",
                           "https:///x",
                           "https://root@shop.test/",
                           "https://shop.test/a b",
                           "https://shop.test/\xc3\xa4",
                           "shop.test:0",
                           "shop.test:70000",
                           "shop.test:x",
                           "*.shop.test",
                           "shop.test!gopher",
                           "#shop.test",
                           "!smtp",
                           "-",
                           "shop..test",
                           "shop.test:443:443",
                           "\n",
                           "[::1",
                           "https://[::1"}) {
    CAPTURE(text);
    const auto target = parse_diagnosis_target(text);
    REQUIRE_FALSE(target);
    CHECK_FALSE(target.error().reason.empty());
    CHECK_FALSE(target.error().fix.empty());
  }
}

TEST_CASE("addresses can be given by hand, several for one name, as curl has it") {
  ResolvedByHand resolved;
  REQUIRE(add_resolved(resolved, "shop.test:443:127.0.0.1"));
  REQUIRE(add_resolved(resolved, "shop.test:443:[::1]"));
  REQUIRE(add_resolved(resolved, "shop.test:443:2001:db8::1"));
  REQUIRE(add_resolved(resolved, "[::1]:443:127.0.0.1"));
  CHECK(resolved.at("shop.test:443") ==
        std::vector<std::string>{"127.0.0.1", "::1", "2001:db8::1"});
  CHECK(resolved.at("[::1]:443").size() == 1);
  for (const char* text : {"", "shop.test", "shop.test:443", "shop.test:443:", "shop.test:443:host",
                           ":443:127.0.0.1", "shop.test:0:127.0.0.1", "[::1:443:127.0.0.1"}) {
    CAPTURE(text);
    CHECK_FALSE(add_resolved(resolved, text));
  }
}

TEST_CASE("where a page sends its visitors is read as a browser reads it") {
  struct Case {
    const char* location;
    const char* endpoint;
    const char* path;
  };
  const auto from = parse_diagnosis_target("https://shop.test:8443/a/b?c");
  REQUIRE(from);
  for (const Case& each :
       std::vector<Case>{{"/en/", "shop.test:8443", "/en/"},
                         {"en/?x=a:b", "shop.test:8443", "/a/en/?x=a:b"},
                         {"../en", "shop.test:8443", "/en"},
                         {"./", "shop.test:8443", "/a/"},
                         {"?d#e", "shop.test:8443", "/a/b?d"},
                         {"#top", "shop.test:8443", "/a/b?c"},
                         {"https://SHOP.test:8443/en#top", "shop.test:8443", "/en"},
                         {"//other.test/en", "other.test:443", "/en"},
                         {"https://shop.test", "shop.test:443", "/"}}) {
    CAPTURE(each.location);
    const auto to = parse_redirect(*from, each.location);
    REQUIRE(to);
    CHECK(to->endpoint.text == each.endpoint);
    CHECK(to->path == each.path);
    CHECK_FALSE(to->redirects);
  }
  for (const char* location : {"app://shop/", "mailto:ops@shop.test", "https://root@shop.test/",
                               "imaps://shop.test/", "/a b", "https://"}) {
    CAPTURE(location);
    CHECK_FALSE(parse_redirect(*from, location));
  }
}

TEST_CASE("a redirect to the name of an endpoint stays at its address") {
  const auto from = parse_diagnosis_target("10.0.0.7:443#shop.test");
  REQUIRE(from);
  const auto to = parse_redirect(*from, "https://shop.test/en/");
  REQUIRE(to);
  CHECK(to->endpoint.host == "10.0.0.7");
  CHECK(to->path == "/en/");
  const auto clear = parse_redirect(*from, "http://shop.test:443/");
  REQUIRE(clear);
  CHECK(clear->redirects);
  CHECK(clear->endpoint.host == "shop.test");
}
