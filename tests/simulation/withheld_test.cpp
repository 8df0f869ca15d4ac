// What a person took back stays away for as long as the one before is good, and no longer.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

constexpr Duration day = 24h;

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

RenewOptions rollback() {
  RenewOptions options;
  options.work = RenewOptions::Work::roll_back;
  options.names = {"shop"};
  return options;
}

int count(const Shop& shop, const std::string& word) {
  return static_cast<int>(std::count_if(
      shop.trace.begin(), shop.trace.end(),
      [&](const std::string& line) { return line.find(" " + word + " ") != std::string::npos; }));
}

// One generation of twenty days, one of ninety after three of them, which was taken back.
void take_back(Shop& shop) {
  shop.ca.settings.certificate_lifetime = 20 * day;
  REQUIRE(shop.renewed().action == Action::renewed);
  shop.ca.settings.certificate_lifetime = 90 * day;
  shop.world.clock.run_for(3 * day);
  REQUIRE(shop.renewed(forced()).action == Action::renewed);
  REQUIRE(shop.renewed(rollback()).action == Action::deployed);
}

bool expired_is_served(const Shop& shop) {
  const auto* chain = shop.nginx.shown_chain();
  return chain != nullptr && chain->front().not_after <= shop.world.clock.true_time();
}

}  // namespace

TEST_CASE("an expired generation is not deployed again after a rollback: the newest goes out") {
  Shop shop(1);
  take_back(shop);
  const std::string first = shop.fingerprint_served();
  CHECK(shop.renewed().action == Action::not_due);
  CHECK(shop.fingerprint_served() == first);
  const auto outages = [&] {
    const Time now = shop.world.clock.true_time();
    shop.ca.settings.outages.push_back({now, now + 60 * day});
  };
  outages();
  shop.world.clock.run_for(18 * day);
  REQUIRE(expired_is_served(shop));
  CHECK(shop.status().serving == Serving::expired);
  shop.renewed();
  CHECK(shop.fingerprint_served() != first);
  CHECK(count(shop, "WITHDRAWAL_ENDED") == 1);
  CHECK(shop.status().serving == Serving::ok);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
  CHECK(shop.status().deployments.at("nginx").withdrawn == 0);
}

TEST_CASE("a crash at any moment of that ends with the newest served") {
  for (int steps = 0; steps < 400; steps += 3) {
    Shop shop(2);
    take_back(shop);
    const std::string first = shop.fingerprint_served();
    const Time now = shop.world.clock.true_time();
    shop.ca.settings.outages.push_back({now, now + 60 * day});
    shop.world.clock.run_for(18 * day);
    CAPTURE(steps);
    const auto death = steps % 2 == 0 ? Shop::Death::kill : Shop::Death::power_failure;
    const auto ended = shop.renew_and_die_after_steps(steps, death);
    CHECK(shop.violation().empty());
    shop.nginx.restart();
    shop.renew();
    CHECK_FALSE(expired_is_served(shop));
    CHECK(shop.fingerprint_served() != first);
    CHECK(shop.status().serving == Serving::ok);
    if (ended) break;
  }
}

TEST_CASE("a daemon renews in time for what is in use, and nothing lapses") {
  DaemonScene scene(3);
  Shop& shop = scene.shop;
  take_back(shop);
  const std::string first = shop.fingerprint_served();
  REQUIRE(scene.start());
  SUBCASE("by a new certificate") {
    // Two thirds of the twenty days, three of which are gone.
    scene.run_for(10 * day);
    CHECK(shop.fingerprint_served() == first);
    CHECK(scene.issued() == 2);
    REQUIRE(scene.run_until_event("CERTIFICATE_ISSUED", 2 * day));
    CHECK(scene.issued() == 3);
    scene.run_for(1h);
    CHECK(shop.status().generation->number == 3);
    CHECK(shop.status().deployments.at("nginx").generation == 3);
    scene.run_for(20 * day);
    CHECK(scene.issued() == 3);
  }
  SUBCASE("by the one that was taken back, where the CA cannot be had") {
    const Time now = shop.world.clock.true_time();
    shop.ca.settings.outages.push_back({now, now + 60 * day});
    // A sixth of twenty days is left then; the daemon looks at that moment.
    REQUIRE(scene.run_until_event("WITHDRAWAL_ENDED", 14 * day));
    scene.run_for(1min);
    CHECK(shop.fingerprint_served() != first);
    CHECK(shop.status().generation->number == 2);
    CHECK(shop.status().deployments.at("nginx").generation == 2);
  }
  CHECK_FALSE(expired_is_served(shop));
}

TEST_CASE("where nothing is verified the daemon still comes in time") {
  DaemonScene scene(4);
  Shop& shop = scene.shop;
  shop.config.certificates.front().endpoints = std::vector<Endpoint>{};
  take_back(shop);
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages.push_back({now, now + 60 * day});
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("WITHDRAWAL_ENDED", 14 * day));
  scene.run_for(1min);
  CHECK(shop.status().deployments.at("nginx").generation == 2);
}

TEST_CASE("whoever takes back what was renewed on schedule is left half of the time") {
  DaemonScene scene(5);
  Shop& shop = scene.shop;
  REQUIRE(shop.renewed().action == Action::renewed);
  shop.world.clock.run_for(61 * day);
  REQUIRE(shop.renewed(forced()).action == Action::renewed);
  REQUIRE(shop.renewed(rollback()).action == Action::deployed);
  const std::string first = shop.fingerprint_served();
  REQUIRE(scene.start());
  // Its renewal point is over, and little of it is left in fourteen days.
  scene.run_for(6 * day);
  CHECK(shop.fingerprint_served() == first);
  CHECK(scene.issued() == 2);
  scene.run_for(2 * day);
  CHECK(scene.issued() == 3);
  CHECK(shop.fingerprint_served() != first);
  scene.run_for(20 * day);
  CHECK(scene.issued() == 3);
}

TEST_CASE("a rollback ends at once where what was gone back to is damaged") {
  Shop shop(6);
  take_back(shop);
  const std::string first = shop.fingerprint_served();
  const std::string key = std::string(Shop::state) + "/certificates/shop/1/privkey.pem";
  SUBCASE("its key is gone") {
    shop.world.files.erase(key);
  }
  SUBCASE("its key is another") {
    shop.world.files.erase(key);
    shop.world.files.put(
        key, shop.world.files.text(std::string(Shop::state) + "/certificates/shop/2/privkey.pem"));
  }
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(shop.fingerprint_served() != first);
  CHECK(count(shop, "WITHDRAWAL_ENDED") == 1);
}

TEST_CASE("what nears its end at a target is told of, although a newer one lies on the disk") {
  DaemonScene scene(7);
  Shop& shop = scene.shop;
  REQUIRE(shop.renewed().action == Action::renewed);
  REQUIRE(scene.start());
  scene.run_for(59 * day);
  shop.nginx.broken_configuration = true;
  scene.run_for(28 * day);
  CHECK(shop.status().generation->number == 2);
  CHECK(scene.count("EXPIRY_NEAR") >= 1);
  CHECK(scene.issued() == 2);
  const auto told = std::find_if(scene.events.begin(), scene.events.end(),
                                 [](const Event& event) { return event.code == "EXPIRY_NEAR"; });
  REQUIRE(told != scene.events.end());
  CHECK(told->message.starts_with("target nginx has generation 1: it expires in"));
  scene.run_for(4 * day);
  CHECK(scene.count("EXPIRED") >= 1);
}
