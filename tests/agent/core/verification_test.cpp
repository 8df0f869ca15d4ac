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
