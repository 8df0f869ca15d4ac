// One name that fails must not cost the others their certificate, nor be forgotten.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> names_served(DaemonScene& scene) {
  const auto chain = acme::parse_pem_chain(
      scene.shop.world.files.text(std::string(Shop::state) + "/live/shop/fullchain.pem"));
  std::vector<std::string> names;
  if (!chain) return names;
  for (const auto& name : chain->front().subject_alternative_names) names.push_back(name.value);
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::string> both = {"shop.test", "www.shop.test"};
const std::vector<std::string> one = {"shop.test"};

// A certificate for two names.
void want_both(DaemonScene& scene) {
  scene.shop.world.add_local_name("www.shop.test");
  scene.shop.config.certificates[0].domains.push_back({"dns", "www.shop.test"});
}

void stop_resolving(DaemonScene& scene) {
  scene.shop.world.dns.name("www.shop.test").addresses.clear();
}

}  // namespace

TEST_CASE("a name that stops resolving is left out in time, loudly, and taken back when it heals") {
  DaemonScene scene(1);
  want_both(scene);
  REQUIRE(scene.start());
  scene.run_for(30 * 24h);
  REQUIRE(names_served(scene) == both);
  stop_resolving(scene);
  // As long as there is time it is asked for with the others, and its failure is told.
  scene.run_for(44 * 24h);
  CHECK(names_served(scene) == both);
  CHECK(scene.count("CA_DNS") > 10);
  CHECK(scene.count("NAME_QUARANTINED") == 0);
  scene.run_for(3 * 24h);
  CHECK(names_served(scene) == one);
  CHECK(scene.remaining() > 80 * 24h);
  CHECK(scene.count("NAME_QUARANTINED") == 1);
  CHECK(scene.shop.status().renewal == RenewalHealth::failing);
  CHECK(scene.shop.status().last_error->message.find("www.shop.test") != std::string::npos);
  // It stays wanted, and asking for it burns no limit.
  scene.run_for(5 * 24h);
  const int orders = scene.shop.ca.counters().orders_created;
  scene.run_for(10 * 24h);
  CHECK(scene.shop.ca.counters().orders_created - orders >= 15);
  CHECK(scene.shop.ca.counters().orders_created - orders <= 30);
  CHECK(scene.shop.ca.counters().rate_limited == 0);
  scene.shop.world.dns.name("www.shop.test").addresses = {"192.0.2.10"};
  scene.run_for(16h);
  CHECK(names_served(scene) == both);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("a new certificate is obtained for the names that work") {
  DaemonScene scene(2);
  want_both(scene);
  stop_resolving(scene);
  REQUIRE(scene.start());
  scene.run_for(1h);
  CHECK(names_served(scene) == one);
  CHECK(scene.count("NAME_QUARANTINED") >= 1);
  CHECK(scene.shop.status().renewal == RenewalHealth::failing);
}

TEST_CASE("a run that leaves a name out has failed, whatever it renewed") {
  Shop shop(7);
  shop.world.add_local_name("www.shop.test");
  shop.config.certificates[0].domains.push_back({"dns", "www.shop.test"});
  shop.world.dns.name("www.shop.test").addresses.clear();
  CertificateOutcome outcome;
  for (int runs = 0; runs < 5 && !outcome.issued; ++runs) outcome = shop.renewed();
  REQUIRE(outcome.issued);
  CHECK(outcome.action == CertificateOutcome::Action::failed);
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "NAME_QUARANTINED");
  CHECK(outcome.error->message.find("www.shop.test") != std::string::npos);
  CHECK(shop.fingerprint_served() == outcome.generation->leaf().fingerprint_sha256);
}

TEST_CASE("a certificate of which every name fails is not reduced to nothing") {
  DaemonScene scene(3);
  want_both(scene);
  stop_resolving(scene);
  scene.shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(scene.issued() == 0);
  CHECK(scene.count("NAME_QUARANTINED") == 0);
}

TEST_CASE("a CA that is away between two refusals says nothing about the names") {
  DaemonScene scene(4);
  want_both(scene);
  stop_resolving(scene);
  REQUIRE(scene.start());
  scene.shop.world.clock.run_until([&] { return scene.count("CA_DNS") == 2; }, 1h);
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.outages.push_back({now, now + 1h});
  scene.run_for(1h);
  CHECK(scene.issued() == 0);
  scene.run_for(2h);
  CHECK(names_served(scene) == one);
}

TEST_CASE("each name that fails is known after one attempt") {
  DaemonScene scene(5);
  want_both(scene);
  stop_resolving(scene);
  scene.shop.world.add_local_name("third.test");
  scene.shop.config.certificates[0].domains.push_back({"dns", "third.test"});
  scene.shop.world.dns.public_name("third.test").addresses = {"192.0.2.99"};
  REQUIRE(scene.start());
  scene.run_for(1h);
  CHECK(names_served(scene) == one);
  const auto told = std::find_if(scene.events.begin(), scene.events.end(),
                                 [](const Event& event) { return event.code == "CA_DNS"; });
  CHECK(told->message.find("www.shop.test") != std::string::npos);
  CHECK(told->message.find("refused too: third.test") != std::string::npos);
}

TEST_CASE("which names are left out, as a table") {
  const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
  acme::Certificate leaf;
  leaf.not_before = now - 80 * 24h;
  leaf.not_after = now + 10 * 24h;
  const std::vector<acme::Identifier> wanted = {{"dns", "a"}, {"dns", "b"}};
  const auto left_out = [&](std::map<std::string, int> refused, Duration earlier) {
    return names_to_leave_out(wanted, refused, &leaf, now - earlier).size();
  };
  CHECK(left_out({{"b", 3}}, 0h) == 1);
  CHECK(left_out({{"b", 2}}, 0h) == 0);
  CHECK(left_out({{"b", 9}}, 6 * 24h) == 0);  // more than a sixth of the lifetime is left
  CHECK(left_out({{"a", 3}, {"b", 3}}, 0h) == 0);
  CHECK(left_out({{"gone", 9}}, 0h) == 0);
  CHECK(left_out({}, 0h) == 0);
  CHECK(names_to_leave_out(wanted, {{"a", 3}}, nullptr, now).size() == 1);
}

TEST_CASE(
    "a clock that runs ahead does not order a certificate without the failing name for ever") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 6 * 24h;
  DaemonScene scene(6, settings);
  scene.shop.config.cas[0].rate_limits = RateLimits::none();
  want_both(scene);
  stop_resolving(scene);
  REQUIRE(scene.start());
  scene.run_for(2h);
  REQUIRE(scene.issued() == 1);
  scene.shop.world.clock.step_wall_clock(7 * 24h);
  scene.run_for(24h);
  CHECK(scene.issued() == 1);
  CHECK(scene.count("CLOCK_AHEAD") >= 1);
}
