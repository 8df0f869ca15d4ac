// What an endpoint serves, held against what it should; and which local listeners are asked.
#include "agent/core/verification.h"

#include <doctest/doctest.h>

#include "acme/x509.h"
#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

struct Served {
  Served() {
    const TestIssuer root = TestIssuer::root("Root", now - 24h * 400, now + 24h * 400);
    LeafOptions leaf;
    leaf.identifiers = {{"dns", "shop.test"}};
    leaf.not_before = now - 24h;
    leaf.not_after = now + 24h;
    reply.outcome = ProbeReply::Outcome::handshake;
    reply.chain_der = {root.issue(leaf, *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256))};
    fingerprint = acme::parse_certificate(reply.chain_der[0])->fingerprint_sha256;
  }
  EndpointState judged(const std::string& expected, Time at = now) const {
    return judge({"shop.test:443", "shop.test", 443, "shop.test"}, "192.0.2.1", reply,
                 {expected, now + 24h}, at);
  }
  ProbeReply reply;
  std::string fingerprint;
};

}  // namespace

TEST_CASE("an endpoint is ok only with exactly this leaf and a chain that validates") {
  Served served;
  CHECK(served.judged(served.fingerprint).verdict == Verdict::ok);
  CHECK(served.judged(served.fingerprint).fingerprint_sha256 == served.fingerprint);
  CHECK(served.judged(served.fingerprint).not_after == now + 24h);
  CHECK(served.judged("0000").verdict == Verdict::wrong);
  CHECK(served.judged("").verdict == Verdict::wrong);
  CHECK(served.judged(served.fingerprint, now + 24h).verdict == Verdict::expired);
  CHECK(served.judged(served.fingerprint, now + 24h).detail.find("expired") != std::string::npos);
  served.reply.chain_error = "unable to get local issuer certificate";
  CHECK(served.judged(served.fingerprint).verdict == Verdict::wrong);
  CHECK(served.judged(served.fingerprint).detail.find("local issuer") != std::string::npos);
}

TEST_CASE("how a client fares is known apart from which certificate it is") {
  Served served;
  CHECK(served.judged(served.fingerprint).service == Service::good);
  CHECK(served.judged("0000").service == Service::good);
  CHECK(served.judged("0000", now + 24h).service == Service::expired);
  served.reply.chain_error = "hostname mismatch";
  CHECK(served.judged("0000").service == Service::not_trusted);
  CHECK(served.judged(served.fingerprint).service == Service::not_trusted);
  // Left out on purpose: the certificate is the one that is wanted.
  const Endpoint endpoint{"shop.test:443", "shop.test", 443, "shop.test"};
  ExpectedLeaf expected{served.fingerprint, now + 24h, now - 24h, {{"dns", "www.shop.test"}}};
  CHECK_FALSE(judge(endpoint, "192.0.2.1", served.reply, expected, now).service);
  expected.names = {{"dns", "*.test"}};
  CHECK(judge(endpoint, "192.0.2.1", served.reply, expected, now).service == Service::not_trusted);
  expected.not_before = now + 1h;
  CHECK_FALSE(judge(endpoint, "192.0.2.1", served.reply, expected, now).service);
  served.reply = {};
  CHECK_FALSE(served.judged("x").service);
  served.reply.outcome = ProbeReply::Outcome::no_handshake;
  CHECK(served.judged("x").service == Service::no_handshake);
}

TEST_CASE("newer is another one for the same names, valid, and issued after ours was obtained") {
  struct Row {
    const char* what;
    ExpectedLeaf expected;
    const char* chain_error;
    Time at;
    bool newer;
  };
  const std::vector<acme::Identifier> ours{{"dns", "shop.test"}};
  const Time older = now - 72h;
  const Row rows[] = {
      {"issued later", {"f", now, older, ours}, "", now, true},
      {"issued earlier", {"f", now, now - 12h, ours}, "", now, false},
      {"ours was obtained later", {"f", now, older, ours, "", now - 1h}, "", now, false},
      {"ours was obtained earlier", {"f", now, older, ours, "", now - 48h}, "", now, true},
      {"not trusted", {"f", now, older, ours}, "self-signed", now, false},
      {"not trusted, by our issuer", {"f", now, older, ours, "Root"}, "cut short", now, true},
      {"it lacks a name", {"f", now, older, {{"dns", "www.shop.test"}}}, "", now, false},
      {"it has expired", {"f", now, older, ours}, "", now + 25h, false},
      {"it is not valid yet", {"f", now, older, ours}, "", now - 25h, false},
      {"nothing is expected", {}, "", now, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Served served;
    served.reply.chain_error = row.chain_error;
    CHECK(judge({"shop.test:443", "shop.test", 443, "shop.test"}, "192.0.2.1", served.reply,
                row.expected, row.at)
              .newer == row.newer);
  }
  Served served;
  CHECK_FALSE(judge({"shop.test:443", "shop.test", 443, "shop.test"}, "192.0.2.1", served.reply,
                    {served.fingerprint, now, older, ours}, now)
                  .newer);
}

TEST_CASE("what is bad is looked at twice, and bad is what was bad both times") {
  const auto state = [](const char* address, Verdict verdict, const char* detail) {
    return EndpointState{"shop.test:443", address, verdict, {}, {}, detail};
  };
  struct Row {
    Verdict first;
    Verdict second;
    Verdict both;
    const char* detail;
  };
  const Row rows[] = {
      {Verdict::ok, Verdict::ok, Verdict::ok, "second"},
      {Verdict::wrong, Verdict::ok, Verdict::ok, "second"},
      {Verdict::ok, Verdict::wrong, Verdict::ok, "first"},
      {Verdict::ok, Verdict::unreachable, Verdict::ok, "first"},
      {Verdict::wrong, Verdict::wrong, Verdict::wrong, "second"},
      {Verdict::unreachable, Verdict::wrong, Verdict::wrong, "second"},
      {Verdict::wrong, Verdict::expired, Verdict::expired, "second"},
  };
  for (const Row& row : rows) {
    const std::vector<EndpointState> first{state("a", row.first, "first"),
                                           state("b", Verdict::ok, "another")};
    CHECK(needs_second_look(first) == (row.first != Verdict::ok));
    const auto both = of_two_looks(first, {state("a", row.second, "second")});
    REQUIRE(both.size() == 1);
    CHECK(both.front().verdict == row.both);
    CHECK(both.front().detail == row.detail);
  }
  CHECK_FALSE(needs_second_look({}));
  // An address that was not there at the first look.
  CHECK(of_two_looks({state("a", Verdict::ok, "")}, {state("b", Verdict::wrong, "")})
            .front()
            .verdict == Verdict::wrong);
}

TEST_CASE("a second look is made some seconds later, and only where one is needed") {
  for (const unsigned closes : {0U, 1U, 2U}) {
    CAPTURE(closes);
    FakeWorld world(1);
    FakeService& service = world.add_service("nginx", "/hooks/nginx", "192.0.2.10", 443);
    service.closes = closes;
    world.dns.name("shop.test").addresses = {"192.0.2.10"};
    VerificationRequest request;
    request.domains = {{"dns", "shop.test"}};
    request.endpoints = {{{"shop.test:443", "shop.test", 443, "shop.test"}}};
    std::optional<std::vector<EndpointState>> states;
    const Time begin = world.clock.now();
    verify_endpoints_twice(world.world(), request,
                           [&](std::vector<EndpointState> all) { states = std::move(all); });
    REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
    // It serves nothing at all.
    CHECK(world.clock.now() - begin >= second_look_after);
    CHECK(service.closes == 0);
  }
}

TEST_CASE("no handshake is wrong, no connection is unreachable, and both say why") {
  Served served;
  served.reply = {};
  served.reply.detail = "connection refused";
  CHECK(served.judged("x").verdict == Verdict::unreachable);
  CHECK(served.judged("x").detail == "connection refused");
  served.reply.outcome = ProbeReply::Outcome::no_handshake;
  CHECK(served.judged("x").verdict == Verdict::wrong);
  served.reply.outcome = ProbeReply::Outcome::handshake;
  served.reply.chain_der = {"garbage"};
  CHECK(served.judged("x").verdict == Verdict::wrong);
}

TEST_CASE("local listeners are those on ports where TLS begins with the first octet") {
  const std::string table =
      "  sl  local_address rem_address   st tx_queue rx_queue\n"
      "   0: 00000000:01BB 00000000:0000 0A 00000000:00000000\n"  // 0.0.0.0:443
      "   1: 0100007F:1538 00000000:0000 0A 00000000:00000000\n"  // PostgreSQL: left alone
      "   2: 0A00000A:01BB 0A000001:C000 01 00000000:00000000\n"  // a connection
      "   3: 0A00000A:03E1 00000000:0000 0A 00000000:00000000\n"  // 10.0.0.10:993
      "   4: garbage\n";
  const std::string table6 =
      "   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A\n"
      "   1: B80D0120000000000000000001000000:20FB 00000000000000000000000000000000:0000 0A\n";
  std::vector<std::string> shown;
  for (const Endpoint& endpoint : local_listeners(table, table6, "shop.test")) {
    CHECK(endpoint.server_name == "shop.test");
    shown.push_back(endpoint.text);
  }
  CHECK(shown == std::vector<std::string>{"127.0.0.1:443", "10.0.0.10:993", "[::1]:443",
                                          "[2001:db8::1]:8443"});
}

TEST_CASE("every address of an endpoint is asked; a name that does not resolve is unreachable") {
  FakeWorld world(1);
  FakeService& service = world.add_service("nginx", "/hooks/nginx", "192.0.2.10", 443);
  (void)service;
  world.dns.name("shop.test").addresses = {"192.0.2.10", "192.0.2.11"};
  std::optional<std::vector<EndpointState>> states;
  VerificationRequest request;
  request.domains = {{"dns", "shop.test"}};
  request.endpoints = {{{"shop.test:443", "shop.test", 443, "shop.test"},
                        {"gone.test:443", "gone.test", 443, "gone.test"}}};
  verify_endpoints(world.world(), request,
                   [&](std::vector<EndpointState> all) { states = std::move(all); });
  CHECK_FALSE(states.has_value());  // never inside the call
  REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
  REQUIRE(states->size() == 3);
  CHECK((*states)[2].endpoint == "gone.test:443");
  CHECK((*states)[2].address.empty());
  CHECK((*states)[2].verdict == Verdict::unreachable);
}

TEST_CASE("nothing to verify is an empty answer, not a good one") {
  FakeWorld world(2);
  std::optional<std::vector<EndpointState>> states;
  verify_endpoints(world.world(), {{{"dns", "shop.test"}}, {}, {"x", {}}, ""},
                   [&](std::vector<EndpointState> all) { states = std::move(all); });
  REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
  CHECK(states->empty());
}

TEST_CASE("without endpoints the local listeners count that serve a certificate for the names") {
  FakeWorld world(3);
  FakeService& ours = world.add_service("nginx", "/hooks/nginx", "127.0.0.1", 443);
  FakeService& other = world.add_service("mail", "/hooks/mail", "127.0.0.1", 993);
  const TestIssuer root =
      TestIssuer::root("Root", world.clock.now() - 24h, world.clock.now() + 24h * 400);
  const acme::PrivateKey key = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  const auto serve = [&](FakeService& service, const char* name) {
    LeafOptions leaf;
    leaf.identifiers = {{"dns", name}};
    leaf.not_before = world.clock.now() - 1h;
    leaf.not_after = world.clock.now() + 24h;
    service.install({pem_of(root.issue(leaf, key)), key.to_pem()});
    service.reload();
  };
  serve(ours, "shop.test");
  serve(other, "mail.test");
  world.files.put("/proc/net/tcp",
                  "0: 00000000:01BB 00000000:0000 0A\n1: 00000000:03E1 00000000:0000 0A\n");
  std::optional<std::vector<EndpointState>> states;
  verify_endpoints(world.world(), {{{"dns", "shop.test"}}, {}, {ours.served().back(), {}}, ""},
                   [&](std::vector<EndpointState> all) { states = std::move(all); });
  REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
  REQUIRE(states->size() == 1);
  CHECK((*states)[0].endpoint == "127.0.0.1:443");
}

TEST_CASE("a local listener that is known to have served it does not merely cease to count") {
  FakeWorld world(4);
  const std::string listening = "0: 00000000:01BB 00000000:0000 0A\n";
  FakeService& server = world.add_service("nginx", "/hooks/nginx", "127.0.0.1", 443);
  const TestIssuer root =
      TestIssuer::root("Root", world.clock.now() - 24h, world.clock.now() + 24h * 400);
  const acme::PrivateKey key = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  LeafOptions leaf;
  leaf.identifiers = {{"dns", "other.test"}};
  leaf.not_before = world.clock.now() - 1h;
  leaf.not_after = world.clock.now() + 24h;
  server.install({pem_of(root.issue(leaf, key)), key.to_pem()});
  server.reload();
  world.files.put("/proc/net/tcp", listening);
  const auto look = [&](std::vector<std::string> places) {
    VerificationRequest request{{{"dns", "shop.test"}}, {}, {"x", {}}};
    request.known_places = std::move(places);
    std::optional<std::vector<EndpointState>> states;
    verify_endpoints(world.world(), request,
                     [&](std::vector<EndpointState> all) { states = std::move(all); });
    REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
    return *states;
  };
  CHECK(look({}).empty());
  auto states = look({"127.0.0.1:443"});
  REQUIRE(states.size() == 1);
  CHECK(states.front().verdict == Verdict::wrong);
  // Nobody listens there any more.
  world.files.put("/proc/net/tcp", "");
  states = look({"127.0.0.1:8443"});
  REQUIRE(states.size() == 1);
  CHECK(states.front().endpoint == "127.0.0.1:8443");
  CHECK(states.front().verdict == Verdict::unreachable);
  CHECK(states.front().service == Service::no_handshake);
  CHECK(look({"garbage"}).empty());
}

TEST_CASE("where targets are meant to have different ones, each of these is well") {
  const ExpectedLeaf newest{"aa", {}};
  FakeWorld world(5);
  FakeService& server = world.add_service("nginx", "/hooks/nginx", "192.0.2.10", 443);
  world.dns.name("shop.test").addresses = {"192.0.2.10"};
  const TestIssuer root =
      TestIssuer::root("Root", world.clock.now() - 24h, world.clock.now() + 24h * 400);
  const acme::PrivateKey key = *acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  LeafOptions leaf;
  leaf.identifiers = {{"dns", "shop.test"}};
  leaf.not_before = world.clock.now() - 1h;
  leaf.not_after = world.clock.now() + 24h;
  server.install({pem_of(root.issue(leaf, key)), key.to_pem()});
  server.reload();
  const std::string fingerprint = server.served().back();
  VerificationRequest request;
  request.domains = {{"dns", "shop.test"}};
  request.endpoints = {{{"shop.test:443", "shop.test", 443, "shop.test"}}};
  request.expected = newest;
  const auto look = [&] {
    std::optional<std::vector<EndpointState>> states;
    verify_endpoints(world.world(), request,
                     [&](std::vector<EndpointState> all) { states = std::move(all); });
    REQUIRE(world.clock.run_until([&] { return states.has_value(); }));
    REQUIRE(states->size() == 1);
    return states->front();
  };
  CHECK(look().verdict == Verdict::wrong);
  request.also = {{fingerprint, leaf.not_after}};
  // The chain is no good by the anchors that count for both.
  CHECK(look().verdict == Verdict::wrong);
  // By those of another CA nobody can say.
  request.also.front().roots_file = "/other.pem";
  CHECK(look().ok());
  request.also.front().not_after = world.clock.now() - 1h;
  CHECK(look().verdict == Verdict::expired);
}
