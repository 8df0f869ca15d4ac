#include "agent/solvers/dns_persist01.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const std::string account = "https://ca.test/acme/account/1";
const std::string good = "ca.test; accounturi=" + account;

acme::PresentedChallenge proof_of(const std::string& name, bool wildcard = false) {
  return {{"dns", name},
          wildcard,
          "dns-persist-01",
          "u",
          {},
          {},
          {},
          {{"ca.test"}, {account}, wildcard}};
}

struct Scene {
  Scene() : zone(world.dns.add_zone("shop.test", "192.0.2.53")) {
    ChallengeConfig way;
    way.name = "record";
    way.type = "dns-persist-01";
    way.validation_port = 53;
    solver = make_dns_persist01(way, world.world());
  }
  void set(const std::string& name, const std::string& value) {
    zone.records.push_back({"_validation-persist." + name, DnsType::txt, value});
  }
  Solver::ProofReport look(std::vector<acme::PresentedChallenge> challenges) {
    std::optional<Solver::ProofReport> report;
    const Time begin = world.clock.now();
    solver->await_proof(std::move(challenges), Solver::Patience::full,
                        [&](Solver::ProofReport got) { report = std::move(got); });
    REQUIRE_FALSE(report);
    world.clock.run_until([&] { return report.has_value(); });
    waited = world.clock.now() - begin;
    return *report;
  }
  FakeWorld world{1};
  FakeDns::Zone& zone;
  std::unique_ptr<Solver> solver;
  Duration waited{};
};

}  // namespace

TEST_CASE("80: a permanent record that is there costs no time and is left alone") {
  Scene scene;
  scene.set("shop.test", "v=spf1 -all");
  scene.set("shop.test", good + "; persistUntil=1900000000");
  const auto report = scene.look({proof_of("shop.test")});
  CHECK(report.seen);
  CHECK(report.to_be_set == "");
  CHECK(report.until == Time{1900000000s});
  CHECK(scene.waited < 1s);
  bool done = false;
  scene.solver->clean_up({proof_of("shop.test")}, [&](const Solver::CleanUpReport& cleaned) {
    done = cleaned.left_behind.empty();
  });
  scene.world.clock.run_until([&] { return done; });
  CHECK(scene.zone.records.size() == 2);
}

TEST_CASE("80: a record that is missing is not waited for, and what to set is said") {
  Scene scene;
  const auto report = scene.look({proof_of("shop.test"), proof_of("shop.test", true)});
  CHECK_FALSE(report.seen);
  CHECK(scene.waited < 1s);
  CHECK(report.text ==
        "_validation-persist.shop.test: there is no such record; _validation-persist.shop.test: "
        "there is no such record");
  CHECK(report.to_be_set == "_validation-persist.shop.test. TXT \"" + good + "; policy=wildcard\"");
}

TEST_CASE("80: of several names only those without a good record are told") {
  Scene scene;
  scene.set("www.shop.test", good);
  scene.set("a.shop.test", "ca.test; accounturi=https://ca.test/acme/account/9");
  scene.set("b.shop.test", good);
  const auto report = scene.look(
      {proof_of("www.shop.test"), proof_of("a.shop.test"), proof_of("b.shop.test", true)});
  CHECK(report.text ==
        "_validation-persist.a.shop.test: its record is for another account, "
        "https://ca.test/acme/account/9; _validation-persist.b.shop.test: its record has no "
        "policy=wildcard, so that it is for no wildcard");
  CHECK(report.to_be_set == "_validation-persist.a.shop.test. TXT \"" + good +
                                "\" and _validation-persist.b.shop.test. TXT \"" + good +
                                "; policy=wildcard\"");
}

TEST_CASE("80: a secondary that does not have it yet is waited for") {
  Scene scene;
  scene.world.dns.name("ns2.shop.test").addresses = {"192.0.2.54"};
  scene.zone.servers.push_back({"ns2.shop.test", "192.0.2.54:53", 20s});
  scene.zone.records.push_back(
      {"_validation-persist.shop.test", DnsType::txt, good, scene.world.clock.now()});
  CHECK(scene.look({proof_of("shop.test")}).seen);
  CHECK(scene.waited >= 20s);
}

TEST_CASE("80: where no name server answers nobody is told to set what may be there") {
  Scene scene;
  scene.zone.servers.front().fault = FakeDns::Fault::server_failure;
  const auto report = scene.look({proof_of("shop.test")});
  CHECK_FALSE(report.seen);
  CHECK(report.to_be_set == "");
}

TEST_CASE("80: an alias leads to the record") {
  Scene scene;
  FakeDns::Zone& other = scene.world.dns.add_zone("proofs.test", "192.0.2.99");
  scene.zone.records = {{"_validation-persist.shop.test", DnsType::cname, "shop.proofs.test"}};
  other.records.push_back({"shop.proofs.test", DnsType::txt, good});
  CHECK(scene.look({proof_of("shop.test")}).seen);
}
