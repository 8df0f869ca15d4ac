// [[watch]] as text: what is accepted, and what each mistake is told.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {

TEST_CASE("a certificate that somebody else renews is watched where it is served or lies") {
  const Config config = config_of(
      "[[watch]]\nname = \"intranet\"\n"
      "endpoints = [\"intranet.test:443\", \"192.0.2.7:25#mail.test!smtp\"]\n"
      "files = [\"ssl/a.pem\", \"/etc/ssl/b.pem\"]\n");
  REQUIRE(config.watches.size() == 1);
  const WatchSpec& watch = config.watches.front();
  CHECK(watch.name == "intranet");
  REQUIRE(watch.endpoints.size() == 2);
  CHECK(watch.endpoints[0].server_name == "intranet.test");
  CHECK(watch.endpoints[1].starttls == "smtp");
  CHECK(watch.files == std::vector<std::string>{"/etc/nolapse/ssl/a.pem", "/etc/ssl/b.pem"});
}

TEST_CASE("where nothing is to be proved there is no way to prove it, either") {
  const std::string watch = "[[watch]]\nname = \"intranet\"\nfiles = [\"/etc/ssl/a.pem\"]\n";
  CHECK(config_of(watch).challenges.empty());
  const Config both =
      config_of(with_ca(watch + "[[certificate]]\nname = \"shop\"\ndomains = [\"shop.test\"]\n"));
  CHECK(both.challenges.contains("http-01"));
  CHECK(both.certificates.front().challenges == std::vector<std::string>{"http-01"});
}

TEST_CASE("what is wrong with a [[watch]] is told with its line") {
  check_cases({
      {"[[watch]]\nname = \"a\"",
       {":1: watch.a.endpoints: this [[watch]] says neither where it is served nor where it lies; "
        "add endpoints = [\"HOST:PORT\"], or files = [\"/path/cert.pem\"]"}},
      {"[[watch]]\nname = \"a\"\nfiles = \"/x.pem\"\nroots = \"/none.pem\"",
       {":4: watch.a.roots: /none.pem does not exist; create it, or correct the path"}},
      {"[[watch]]\nname = \"a\"\nendpoints = \"intranet.test\"",
       {":3: watch.a.endpoints: \"intranet.test\" has no port; write ADDRESS:PORT, with an IPv6 "
        "address in brackets, such as \"192.0.2.1:443\" or \"[2001:db8::1]:443\""}},
      {with_ca("[[watch]]\nname = \"shop\"\nfiles = \"/x.pem\"\n[[certificate]]\nname = \"shop\"\n"
               "domains = [\"shop.test\"]"),
       {":2: watch.shop.name: there is already a certificate named \"shop\" at "
        "/etc/nolapse/nolapse.toml:4; rename one of them; a certificate of nolapse's own needs no "
        "[[watch]]"}},
  });
}

}  // namespace nolapse
