// What this host knows of an endpoint before anybody asks it.
#include "agent/core/diagnosis_knowledge.h"

#include <doctest/doctest.h>

#include "agent/core/diagnosis_history.h"
#include "agent/core/diagnosis_pair.h"
#include "tests/support/fake_world.h"

using namespace nolapse;

namespace {

Upstream upstream(std::vector<std::string> names, const std::string& host) {
  Upstream made;
  made.place = {"nginx", "/etc/nginx/nginx.conf", 7};
  made.names = std::move(names);
  made.host = host;
  made.tls = true;
  made.verified = true;
  return made;
}

Endpoint endpoint(const std::string& host, std::uint16_t port = 443) {
  return {host + ":" + std::to_string(port), host, port, host};
}

AllBehind behind(const Endpoint& asked, const KnownHost& host, const std::string& path = "/") {
  return what_is_behind({asked, path}, host);
}

// One that a request only perhaps goes to has a ? behind it.
std::vector<std::string> hosts_behind(const Endpoint& asked, const KnownHost& host,
                                      const std::string& path = "/") {
  std::vector<std::string> hosts;
  for (const Behind& each : behind(asked, host, path).seen) {
    hosts.push_back(each.endpoint.endpoint.host + (each.endpoint.surely ? "" : "?"));
  }
  return hosts;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the hops are those of the sites that answer for the name, each once") {
  KnownHost host;
  host.servers.upstreams = {upstream({"shop.test", "www.shop.test"}, "10.0.0.1"),
                            upstream({"*.blog.test"}, "10.0.0.2"), upstream({}, "10.0.0.3"),
                            upstream({"shop.test"}, "10.0.0.1")};
  CHECK(hosts_behind(endpoint("shop.test"), host) == Names{"10.0.0.1"});
  CHECK(hosts_behind(endpoint("a.blog.test"), host) == Names{"10.0.0.2"});
  CHECK(hosts_behind(endpoint("other.test"), host) == Names{"10.0.0.3"});
  const auto hop = behind(endpoint("shop.test"), host).seen.at(0).endpoint;
  CHECK(hop.role == SeenEndpoint::Role::hop);
  CHECK(hop.place.line == 7);
  CHECK(hop.verified);
  for (int i = 0; i < 100; ++i) {
    host.servers.upstreams.push_back(upstream({"shop.test"}, "10.0.1." + std::to_string(i)));
  }
  CHECK(hosts_behind(endpoint("shop.test"), host).size() == 16);
  CHECK(behind(endpoint("shop.test"), host).hidden.size() == 85);
}

TEST_CASE("a hop is behind what its site's port and locations pass on to it") {
  struct Row {
    std::string location;
    Names others;
    std::string path;
    Names hosts;
  };
  const Names here = {"10.0.0.1"};
  const Names perhaps = {"10.0.0.1?"};
  for (const Row& row :
       {Row{"", {}, "/", here}, Row{"/", {"/legacy/"}, "/", here},
        Row{"/", {"/legacy/"}, "/legacy/a", {}}, Row{"/legacy/", {"/"}, "/", {}},
        Row{"/legacy/", {"/"}, "/legacy/a?b=/c", here}, Row{"/", {"=/"}, "/", {}},
        Row{"/", {"=/"}, "/a", here}, Row{"=/", {"/"}, "/", here},
        Row{"/", {"~*\\.(css|js)$"}, "/a.JS", {}}, Row{"/", {"~*\\.(css|js)$"}, "/a", here},
        Row{"~^/api/", {"/"}, "/api/x", here}, Row{"~^/api/", {"/"}, "/", {}},
        Row{"~^/api/", {"~x$"}, "/api/x", perhaps}, Row{"/", {"~(?<name>x)"}, "/", perhaps},
        Row{"/", {"@down"}, "/", here}}) {
    CAPTURE(row.location);
    CAPTURE(row.path);
    KnownHost host;
    host.servers.upstreams = {upstream({"shop.test"}, "10.0.0.1")};
    host.servers.upstreams[0].location = row.location;
    host.servers.upstreams[0].other_locations = row.others;
    CHECK(hosts_behind(endpoint("shop.test"), host, row.path) == row.hosts);
  }
  KnownHost host;
  host.servers.upstreams = {upstream({"shop.test"}, "10.0.0.1")};
  Upstream& hop = host.servers.upstreams[0];
  hop.listens = {"80", "[::]:8443"};
  CHECK(hosts_behind(endpoint("shop.test"), host).empty());
  CHECK(hosts_behind(endpoint("shop.test", 8443), host) == here);
  hop.conditional = true;
  CHECK(hosts_behind(endpoint("shop.test", 8443), host) == perhaps);
  hop.host.clear();
  const AllBehind all = behind(endpoint("shop.test", 8443), host);
  CHECK(all.seen.empty());
  CHECK(all.hidden == Names{"what nginx, /etc/nginx/nginx.conf:7 passes on to"});
}

TEST_CASE("a server that does not say where it listens has its usual ports, not all") {
  FakeWorld world{1};
  KnownHost host;
  ShownCertificate shown;
  shown.place = {"dovecot", "/etc/dovecot/dovecot.conf", 3};
  shown.certificate_file = "/gone.pem";
  host.servers.certificates = {shown};
  for (const auto& [port, pairs] : {std::pair(1, 0u), {443, 0u}, {993, 1u}, {143, 1u}}) {
    SeenEndpoint seen;
    seen.endpoint = endpoint("shop.test", static_cast<std::uint16_t>(port));
    add_knowledge(seen, host, world.files, Time{});
    CAPTURE(seen.endpoint.port);
    CHECK(seen.pairs.size() == pairs);
  }
}

TEST_CASE("endpoints declared for the name are behind it, those of others are known") {
  Config config;
  CertificateSpec shop;
  shop.name = "shop";
  shop.domains = {{"dns", "shop.test"}};
  shop.endpoints = {endpoint("shop.test"), endpoint("edge.test")};
  CertificateSpec inner;
  inner.name = "inner";
  inner.domains = {{"dns", "inner.test"}};
  inner.endpoints = {endpoint("inner.test", 8443)};
  config.certificates = {shop, inner};
  config.watches = {{"old", {endpoint("old.test")}, {}, "/roots.pem"}};
  KnownHost host;
  host.config = &config;
  CHECK(hosts_behind(endpoint("shop.test"), host) == Names{"edge.test"});
  const auto others = what_else_is_known(endpoint("shop.test"), host);
  REQUIRE(others.size() == 3);
  CHECK(others.at(1).endpoint.endpoint.host == "inner.test");
  CHECK(others.at(2).roots_file == "/roots.pem");
  host.config = nullptr;
  CHECK(hosts_behind(endpoint("shop.test"), host).empty());
  CHECK(what_else_is_known(endpoint("shop.test"), host).empty());
}

TEST_CASE("this host's addresses are read from the kernel's tables") {
  const std::string fib_trie =
      "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n"
      "     +-- 192.0.2.0/24 2 0 2\n        |-- 192.0.2.0\n           /24 link UNICAST\n"
      "        |-- 192.0.2.7\n           /32 host LOCAL\n        |-- 192.0.2.255\n"
      "           /32 link BROADCAST\n";
  const std::string if_inet6 =
      "20010db8000000000000000000000007 02 40 00 80     eth0\n"
      "00000000000000000000000000000001 01 80 10 80       lo\nnonsense\n";
  KnownHost host;
  host.addresses = addresses_of_host(fib_trie, if_inet6);
  CHECK(host.addresses == std::set<std::string>{"192.0.2.7", "2001:db8::7", "::1"});
  CHECK(host.has("192.0.2.7"));
  CHECK(host.has("127.0.0.9"));
  CHECK_FALSE(host.has("192.0.2.255"));
  CHECK_FALSE(host.has("192.0.2.0"));
}

TEST_CASE("a site is asked for where it listens, by its names") {
  ShownCertificate shown;
  shown.names = {"*.shop.test", "shop.test", "www.shop.test", "a.test", "b.test"};
  shown.listens = {"443", "[::]:8443", "192.0.2.7:443"};
  const auto endpoints = endpoints_of(shown, 2);
  REQUIRE(endpoints.size() == 6);
  CHECK(endpoints[0].text == "127.0.0.1:443#shop.test");
  CHECK(endpoints[1].server_name == "www.shop.test");
  CHECK(endpoints[2].host == "::1");
  CHECK(endpoints[4].host == "192.0.2.7");
  shown.names.clear();
  shown.listens = {"25", "*:443"};
  const auto nameless = endpoints_of(shown, 2);
  REQUIRE(nameless.size() == 2);
  CHECK(nameless[0].starttls == "smtp");
  CHECK(nameless[1].host == "127.0.0.1");
}

TEST_CASE("the first trouble since the last issue is found among the events") {
  const auto line = [](const char* at, const char* code, const char* severity,
                       const char* certificate) {
    return std::string("{\"at\":\"") + at + "\",\"severity\":\"" + severity + "\",\"code\":\"" +
           code + "\",\"certificate\":\"" + certificate + "\",\"message\":\"why\"}\n";
  };
  const std::string before = line("2026-11-01T00:00:00Z", "OLD", "error", "shop") +
                             line("2026-11-02T00:00:00Z", "CERTIFICATE_ISSUED", "info", "shop");
  CHECK(history_in_events("shop", before).empty());
  const std::string after = before + "{\"torn\n" +
                            line("2026-11-03T00:00:00Z", "OTHER", "error", "blog") +
                            line("2026-11-04T00:00:00Z", "SLOW", "warning", "shop") +
                            line("2026-11-05T00:00:00Z", "CA_UNREACHABLE", "error", "shop") +
                            line("2026-11-06T00:00:00Z", "LATER", "error", "shop");
  const auto history = history_in_events("shop", after);
  REQUIRE(history.size() == 1);
  CHECK(history[0].what == "first trouble: CA_UNREACHABLE: why");
  CHECK(history[0].at == *acme::parse_rfc3339("2026-11-05T00:00:00Z"));
}

TEST_CASE("where the records cannot be read, the roots are those of the CA that is asked first") {
  FakeWorld world{1};
  Config config;
  config.state_directory = "/state";
  config.cas.resize(2);
  config.cas[0].name = "own";
  config.cas[0].issuer_roots_file = "/etc/own.pem";
  config.cas[1].name = "public";
  CertificateSpec& shop = config.certificates.emplace_back();
  shop.name = "shop";
  shop.cas = {"own", "public"};
  KnownHost host;
  host.config = &config;
  SeenEndpoint seen;
  seen.endpoint = endpoint("shop.test");
  seen.managed.emplace().name = "shop";
  world.files.put_directory("/state/certificates/shop");
  CHECK(roots_for(seen, host, world.files).empty());  // nothing was issued: it is somebody else's
  world.files.set_closed("/state", true);
  CHECK(roots_for(seen, host, world.files) == "/etc/own.pem");
}
