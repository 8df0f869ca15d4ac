// What a Caddyfile and Caddy's storage say of certificates.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/caddy/Caddyfile";
constexpr const char* storage =
    "/var/lib/caddy/.local/share/caddy/certificates/acme.test-directory";

struct Case {
  std::string text;
  Lines lines;
};

}  // namespace

TEST_CASE("a site's own pair is found with its names, however the Caddyfile is laid out") {
  const std::string at = "/etc/caddy/Caddyfile:";
  const std::vector<Case> cases = {
      {"a.test, www.a.test:8443 {\n\ttls /a.pem /a.key\n}\n",
       {at + "2 /a.pem key=/a.key names=a.test,www.a.test listens=8443"}},
      {"{\n\temail x@a.test\n}\nhttps://a.test,\nb.test {\n tls rel.pem \"/with space.key\" {\n"
       "  protocols tls1.2\n }\n}\n",
       {at + "6 /etc/caddy/rel.pem key=/with space.key names=a.test,b.test"}},
      {"a.test\ntls /a.pem /a.key # the whole file is one site\n",
       {at + "2 /a.pem key=/a.key names=a.test"}},
      {"(pair) {\n tls /s.pem /s.key\n}\n:443 {\n import pair\n respond `} { not a block`\n}\n",
       {at + "2 /s.pem key=/s.key listens=443"}},
      {"a.test {\n tls internal\n}\nb.test {\n tls ops@b.test\n}\nc.test {\n reverse_proxy "
       "localhost:80\n}\n",
       {}},
      {"a.test {\n tls {\n  load /pems\n }\n}\n", {at + "3 /pems/x.pem names=a.test"}},
      {"import sites/*.caddy\n", {"/etc/caddy/sites/d.caddy:2 /d.pem key=/d.key names=d.test"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    ConfigFiles files;
    files.add(main_path, each.text);
    files.add("/pems/x.pem", "");
    files.add("/etc/caddy/sites/d.caddy", "d.test {\n tls /d.pem /d.key\n}\n");
    const ServerConfiguration found = read_as("caddy", files, main_path);
    CHECK(certificates_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("what Caddy obtained by itself is found in its storage") {
  ConfigFiles files;
  files.add(main_path, "a.test {\n}\n");
  const std::string folder = storage;
  files.add(folder + "/a.test/a.test.crt", "");
  files.add(folder + "/a.test/a.test.json", "");
  files.add(folder + "/wildcard_.b.test/wildcard_.b.test.crt", "");
  files.add("/srv/store/certificates/local/c.test/c.test.crt", "");
  const std::string a = folder + "/a.test/a.test";
  const std::string b = folder + "/wildcard_.b.test/wildcard_.b.test";
  CHECK(certificates_in(read_as("caddy", files, main_path)) ==
        Lines{a + ".crt:0 " + a + ".crt key=" + a + ".key names=a.test",
              b + ".crt:0 " + b + ".crt key=" + b + ".key names=*.b.test"});
  files.add(main_path, "{\n storage file_system /srv/store\n}\na.test {\n}\n");
  const std::string c = "/srv/store/certificates/local/c.test/c.test";
  CHECK(certificates_in(read_as("caddy", files, main_path)) ==
        Lines{c + ".crt:0 " + c + ".crt key=" + c + ".key names=c.test"});
}

TEST_CASE("what of a Caddyfile cannot be understood is told, and the rest is read") {
  const std::string good = "a.test {\n tls /good.pem /good.key\n}\n";
  const std::string at = "/etc/caddy/Caddyfile:";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"b.test {\n", "4: this { is never closed"},
      {"}\n", "4: a } without a {; what follows may be misread"},
      {"import gone", "4: /etc/caddy/gone: no such file or directory"},
      {"b.test {\n tls {$CERT} {$KEY}\n}\n",
       "5: \"{$CERT}\" is no file before a request comes; look at its certificates by name, as "
       "endpoints"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.first);
    const ServerConfiguration found = read_text("caddy", main_path, good + each.first);
    CHECK(certificates_in(found) == Lines{at + "2 /good.pem key=/good.key names=a.test"});
    CHECK(found.problems == Lines{at + each.second});
  }
}

}  // namespace nolapse
