// What HAProxy's configuration says of certificates, as HAProxy reads it.
#include <doctest/doctest.h>

#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

constexpr const char* main_path = "/etc/haproxy/haproxy.cfg";

struct Case {
  std::string text;
  Lines lines;
};

}  // namespace

TEST_CASE("certificates on `bind` are found by file, by folder and by list") {
  const std::string at = "/etc/haproxy/haproxy.cfg:";
  const std::string global = "global\ncrt-base /etc/ssl/private\n";
  const std::vector<Case> cases = {
      {"frontend f\nbind *:443 ssl crt /a.pem alpn h2\nbind :80\n", {at + "2 /a.pem listens=443"}},
      {global + "frontend f\n bind [::]:443,10.0.0.1:8443 ssl crt shop.pem crt /b.pem\n",
       {at + "4 /etc/ssl/private/shop.pem listens=443,10.0.0.1:8443",
        at + "4 /b.pem listens=443,10.0.0.1:8443"}},
      {"listen l\n\tbind ipv4@127.0.0.1:443-445 ssl crt \"/with space.pem\" # note\n",
       {at + "2 /with space.pem listens=127.0.0.1:443"}},
      {"frontend f\nbind /run/x.sock ssl crt /a.pem\n", {at + "2 /a.pem"}},
      {"frontend f\nbind :443 ssl crt /certs\n",
       {at + "2 /certs/one.pem listens=443",
        at + "2 /certs/two.crt key=/certs/two.crt.key listens=443"}},
      {"frontend f\nbind :443 ssl crt /pair\n",
       {at + "2 /pair.rsa listens=443", at + "2 /pair.ecdsa listens=443"}},
      {"global\nssl-load-extra-del-ext\nfrontend f\nbind :443 ssl crt /other/x.crt\n",
       {at + "4 /other/x.crt key=/other/x.key listens=443"}},
      {"frontend f\nbind :443 ssl crt-list /etc/haproxy/list\n",
       {"/etc/haproxy/list:2 /certs/one.pem names=a.test,*.b.test listens=443",
        "/etc/haproxy/list:3 /etc/haproxy/rel.pem listens=443"}},
      {"global\nsetenv DIR /x\nfrontend f\nbind :443 ssl crt \"${DIR}/a.pem\"\n",
       {at + "4 /x/a.pem listens=443"}},
      {"crt-store web\ncrt-base /c\nload crt a.pem key /k/a.key alias x\nfrontend f\n"
       "bind :443 ssl crt @web/x\n",
       {at + "3 /c/a.pem key=/k/a.key"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    ConfigFiles files;
    files.add(main_path, each.text);
    files.add("/certs/one.pem", "-----BEGIN EC PRIVATE KEY-----");
    files.add("/certs/two.crt", "-----BEGIN CERTIFICATE-----");
    files.add("/certs/two.crt.key", "");
    files.add("/certs/two.crt.ocsp", "");
    files.add("/pair.rsa", "");
    files.add("/pair.ecdsa", "");
    files.add("/other/x.crt", "");
    files.add("/other/x.key", "");
    files.add(
        "/etc/haproxy/list",
        "# a comment\n/certs/one.pem [alpn h2 ssl-min-ver TLSv1.2] a.test *.b.test !c.b.test\n"
        "rel.pem\n");
    const ServerConfiguration found = read_as("haproxy", files, main_path);
    CHECK(certificates_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("servers behind HAProxy are found with what it would refuse there") {
  const std::string at = "/etc/haproxy/haproxy.cfg:";
  const std::vector<Case> cases = {
      {"backend b\nserver one 10.0.0.1:8080 check\nserver two b.test ssl verify none\n"
       "server three /run/app.sock\n",
       {at + "2 10.0.0.1:8080", at + "3 b.test:443 tls"}},
      {"global\nca-base /etc/ssl/certs\nbackend b\n"
       "server s b.test:8443 ssl verify required ca-file in.pem sni str(in.test)\n",
       {at + "4 b.test:8443 tls asks=in.test roots=/etc/ssl/certs/in.pem checks=chain,dates,name"}},
      {"backend b\ndefault-server ssl ca-file /r.pem verifyhost v.test\n"
       "server s 10.0.0.1:443 sni req.hdr(host)\nserver p 10.0.0.2:80 no-ssl\n",
       {at + "3 10.0.0.1:443 tls asks=v.test roots=/r.pem checks=chain,dates,name",
        at + "4 10.0.0.2:80"}},
      {"global\nssl-server-verify none\ndefaults\ndefault-server ssl\nbackend b\n"
       "server s 10.0.0.1:443\ndefaults\nbackend c\nserver t 10.0.0.3:80\n",
       {at + "6 10.0.0.1:443 tls", at + "9 10.0.0.3:80"}},
      {"listen l\nserver s fd00::1:8443 ssl ca-file @system-ca\nserver-template w 3 w.test:81\n"
       "resolvers r\nserver-state x\npeers p\nserver me 10.0.0.9:10000\n",
       {at + "2 fd00::1:8443 tls checks=chain,dates", at + "3 w.test:81"}},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    const ServerConfiguration found = read_text("haproxy", main_path, each.text);
    CHECK(upstreams_in(found) == each.lines);
    CHECK(found.problems == Lines{});
  }
}

TEST_CASE("what of HAProxy's configuration cannot be understood is told, and the rest is read") {
  const std::string good = "frontend g\nbind :443 ssl crt /good.pem\n";
  const std::string at = "/etc/haproxy/haproxy.cfg:";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"bind :444 ssl crt ${NONE}/x.pem",
       "3: \"${NONE}/x.pem\" has a variable that this file does not set"},
      {"bind :444 ssl crt-list /gone", "3: /gone: no such file or directory"},
      {"backend b\nserver s b.test:port",
       "4: \"b.test:port\" is no HOST:PORT that could be looked at"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.first);
    const ServerConfiguration found = read_text("haproxy", main_path, good + each.first);
    CHECK(certificates_in(found) == Lines{at + "2 /good.pem listens=443"});
    CHECK(found.problems == Lines{at + each.second});
  }
}

}  // namespace nolapse
