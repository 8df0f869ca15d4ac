#include "agent/solvers/dns_propagation.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const TxtRecord wanted{"_acme-challenge.shop.test", "value"};

struct Scene {
  Scene() {
    zone = &world.dns.add_zone("shop.test", "192.0.2.53");
    zone->records.push_back({wanted.name, DnsType::txt, wanted.value, world.clock.now()});
  }
  FakeDns::Server& add_server(const std::string& name, const std::string& address,
                              Duration delay = 0s, FakeDns::Fault fault = FakeDns::Fault::none) {
    world.dns.name(name).addresses.push_back(address);
    const std::string host = acme::is_ipv6(address) ? "[" + address + "]" : address;
    // The NS records name a server once, however many addresses it has.
    zone->servers.push_back({name, host + ":53", delay, fault});
    return zone->servers.back();
  }
  Solver::ProofReport look(std::vector<TxtRecord> records = {wanted}, Duration patience = 60s) {
    std::optional<Solver::ProofReport> report;
    const Time begin = world.clock.now();
    await_propagation(world.world(), std::move(records), 53, {patience, {}},
                      [&](PropagationReport got) { report = std::move(got.proof); });
    REQUIRE_FALSE(report);
    world.clock.run_until([&] { return report.has_value(); });
    REQUIRE(report);
    took = world.clock.now() - begin;
    INFO(report->text);
    return *report;
  }
  bool says(const Solver::ProofReport& report, const std::string& text) {
    CAPTURE(report.text);
    return report.text.find(text) != std::string::npos;
  }
  FakeWorld world{1};
  FakeDns::Zone* zone;
  Duration took{};
};

}  // namespace

TEST_CASE("one name server that shows the value is all there is to wait for") {
  Scene scene;
  const auto report = scene.look();
  CHECK(report.seen);
  CHECK(scene.took < 1s);
}

TEST_CASE("79: a slow secondary is waited for, over both families [RFC 8555 §8.4]") {
  Scene scene;
  scene.add_server("ns2.shop.test", "2001:db8::53", 20s);
  const auto report = scene.look();
  CHECK(report.seen);
  CHECK(scene.took >= 20s);
  CHECK(scene.took < 27s);
}

TEST_CASE("a server that never shows it is named when the patience ends") {
  Scene scene;
  scene.add_server("ns2.shop.test", "192.0.2.54", 24h);
  const auto report = scene.look();
  CHECK_FALSE(report.seen);
  CHECK(scene.took >= 60s);
  CHECK(scene.took < 70s);
  CHECK(
      scene.says(report, "ns2.shop.test (192.0.2.54:53) for _acme-challenge.shop.test: does not"));
  CHECK_FALSE(scene.says(report, "ns1.shop.test"));
}

TEST_CASE("a server that fails or is silent holds it up for a quarter of a minute, and is named") {
  for (const auto fault : {FakeDns::Fault::server_failure, FakeDns::Fault::no_answer}) {
    Scene scene;
    scene.add_server("ns2.shop.test", "192.0.2.54", 0s, fault);
    const auto report = scene.look();
    CHECK(report.seen);
    CHECK(scene.took >= 15s);
    CHECK(scene.took < 36s);
    CHECK(scene.says(report, "ns2.shop.test (192.0.2.54:53)"));
  }
}

TEST_CASE("silence of all servers is no proof") {
  Scene scene;
  scene.zone->servers.front().fault = FakeDns::Fault::server_failure;
  const auto report = scene.look();
  CHECK_FALSE(report.seen);
}

TEST_CASE("a lame server is told from one that is late") {
  Scene scene;
  // A delegation to a server that has another zone only.
  FakeDns::Zone& other = scene.world.dns.add_zone("other.test", "192.0.2.77");
  (void)other;
  scene.world.dns.name("ns.other.test").addresses = {"192.0.2.77"};
  scene.zone->servers.push_back({"ns.other.test", "192.0.2.78:53", 0s});
  const auto report = scene.look({wanted}, 20s);
  CHECK_FALSE(report.seen);
  CHECK(scene.says(report, "does not speak for shop.test (lame)"));
}

TEST_CASE("79: an alias is followed into the zone where the value stands [RFC 8555 §8.4]") {
  Scene scene;
  FakeDns::Zone& proofs = scene.world.dns.add_zone("proofs.test", "192.0.2.99");
  scene.zone->records = {{wanted.name, DnsType::cname, "shop.proofs.test"}};
  proofs.records.push_back({"shop.proofs.test", DnsType::txt, wanted.value});
  CHECK(scene.look().seen);
  proofs.records.clear();
  const auto report = scene.look({wanted}, 5s);
  CHECK_FALSE(report.seen);
  CHECK(scene.says(report, "ns1.proofs.test"));
}

TEST_CASE("29: two values at one name are both waited for [RFC 8555 §8.4]") {
  Scene scene;
  const TxtRecord second{wanted.name, "second value"};
  CHECK_FALSE(scene.look({wanted, second}, 5s).seen);
  scene.zone->records.push_back({wanted.name, DnsType::txt, second.value});
  CHECK(scene.look({wanted, second}, 5s).seen);
}

TEST_CASE("a zone that cannot be found, and no records at all") {
  Scene scene;
  const auto report = scene.look({{"_acme-challenge.nowhere.example", "value"}});
  CHECK_FALSE(report.seen);
  CHECK(scene.says(report, "no zone is found for _acme-challenge.nowhere.example"));
  CHECK(scene.look({}).seen);
}

namespace {

// The name servers' own answers come changed; the resolver's do not.
class ChangedDns final : public Dns {
 public:
  ChangedDns(Dns& dns, std::function<Result<DnsAnswer>(DnsAnswer)> change)
      : dns_(dns), change_(std::move(change)) {}
  void resolve(std::string host, Completion<std::vector<std::string>> done) override {
    dns_.resolve(std::move(host), std::move(done));
  }
  void ask(DnsLookup lookup, Completion<DnsAnswer> done) override {
    const bool direct = !lookup.server.empty();
    dns_.ask(std::move(lookup), [this, direct, done](Result<DnsAnswer> answer) {
      done(direct && answer ? change_(*answer) : std::move(answer));
    });
  }
  void update(DnsUpdate update, Completion<void> done) override {
    dns_.update(std::move(update), std::move(done));
  }

 private:
  Dns& dns_;
  std::function<Result<DnsAnswer>(DnsAnswer)> change_;
};

bool seen_through(std::function<Result<DnsAnswer>(DnsAnswer)> change) {
  Scene scene;
  ChangedDns dns(scene.world.dns, std::move(change));
  const World w = scene.world.world();
  const World changed{
      w.clock,     w.http,           w.tls_probe,          dns,      w.files, w.processes,
      w.key_maker, w.http_responder, w.tls_alpn_responder, w.random, w.mail};
  std::optional<bool> seen;
  await_propagation(changed, {wanted}, 53, {30s, {}},
                    [&](const PropagationReport& report) { seen = report.proof.seen; });
  scene.world.clock.run_until([&] { return seen.has_value(); });
  return seen.value_or(false);
}

}  // namespace

TEST_CASE("a value counts only from a server that speaks for the zone, and silence never does") {
  CHECK(seen_through([](DnsAnswer answer) { return answer; }));
  CHECK_FALSE(seen_through([](DnsAnswer answer) {
    answer.authoritative = false;
    return answer;
  }));
  CHECK_FALSE(seen_through([](DnsAnswer) -> Result<DnsAnswer> {
    return fail(ErrorKind::transient, "DNS_TIMEOUT", "no answer");
  }));
}
