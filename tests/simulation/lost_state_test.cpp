// State that was lost, restored from an old backup, or contradicts itself: an older generation
// never follows a newer one that is served, no number is used twice, and nobody believes what
// cannot be.
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

RenewOptions by_daemon() {
  RenewOptions options;
  options.by_daemon = true;
  return options;
}

std::string path(const std::string& file) {
  return std::string(Shop::state) + "/" + file;
}

long installed(const Shop& shop) {
  const auto& all = shop.world.processes.started();
  return std::count(all.begin(), all.end(), "/hooks/nginx install");
}

int count(const Shop& shop, const std::string& word) {
  return static_cast<int>(std::count_if(
      shop.trace.begin(), shop.trace.end(),
      [&](const std::string& line) { return line.find(" " + word + " ") != std::string::npos; }));
}

void two_generations(Shop& shop) {
  REQUIRE(shop.renewed().action == Action::renewed);
  shop.world.clock.run_for(3 * day);
  REQUIRE(shop.renewed(forced()).action == Action::renewed);
}

void ca_is_down(Shop& shop) {
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages.push_back({now, now + 60 * day});
}

void lose_second(Shop& shop) {
  shop.world.files.erase(path("certificates/shop/2"));
}

// As a backup from before the second one would.
void restore_first(Shop& shop, const std::string& deployments) {
  lose_second(shop);
  for (const char* link : {"live/shop", "deployed/shop/nginx"}) {
    const std::string target = *shop.world.files.read_link(path(link));
    shop.world.files.erase(path(link));
    shop.world.files.put_symlink(target.substr(0, target.rfind('/')) + "/1", path(link));
  }
  shop.world.files.erase(path("certificates/shop/deployments.json"));
  shop.world.files.put(path("certificates/shop/deployments.json"), deployments);
}

}  // namespace

TEST_CASE("a lost generation that is served is replaced by a new one, not by the one before") {
  for (const bool restored : {false, true}) {
    for (const bool daemon : {false, true}) {
      CAPTURE(restored);
      CAPTURE(daemon);
      Shop shop(1);
      REQUIRE(shop.renewed().action == Action::renewed);
      const std::string before = shop.world.files.text(path("certificates/shop/deployments.json"));
      shop.world.clock.run_for(3 * day);
      REQUIRE(shop.renewed(forced()).action == Action::renewed);
      const std::string second = shop.fingerprint_served();
      restored ? restore_first(shop, before) : lose_second(shop);
      const CertificateOutcome outcome = shop.renewed(daemon ? by_daemon() : RenewOptions());
      CHECK(outcome.action == Action::renewed);
      CHECK(shop.nginx.served().size() == 3);
      CHECK(shop.nginx.served()[1] == second);
      CHECK(shop.status().ok());
      CHECK(shop.status().generation->leaf().fingerprint_sha256 == shop.fingerprint_served());
      // In the restored one nothing says that there was a second.
      if (!restored) CHECK(shop.status().generation->number == 3);
      if (restored) CHECK(count(shop, "NEWER_SERVED") == 1);
      CHECK(shop.renewed(by_daemon()).action == Action::not_due);
      CHECK(shop.ca.counters().certificates_issued == 3);
    }
  }
}

TEST_CASE("where no new one can be had, the lost one goes on being served") {
  for (const bool restored : {false, true}) {
    CAPTURE(restored);
    DaemonScene scene(2);
    Shop& shop = scene.shop;
    REQUIRE(shop.renewed().action == Action::renewed);
    const std::string before = shop.world.files.text(path("certificates/shop/deployments.json"));
    shop.world.clock.run_for(3 * day);
    REQUIRE(shop.renewed(forced()).action == Action::renewed);
    const std::string second = shop.fingerprint_served();
    restored ? restore_first(shop, before) : lose_second(shop);
    ca_is_down(shop);
    REQUIRE(scene.start());
    scene.run_for(5 * day);
    CHECK(shop.fingerprint_served() == second);
    CHECK(installed(shop) == 2);
    CHECK(shop.status().serving == Serving::wrong);
    CHECK(scene.count("NEWER_SERVED") >= 4);
    CHECK(scene.count("NEWER_SERVED") <= 6);
    shop.ca.settings.outages.clear();
    REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 2 * day));
    CHECK(shop.nginx.served().size() == 3);
    CHECK(scene.issued() == 3);
    scene.run_for(10 * day);
    CHECK(scene.issued() == 3);
  }
}

TEST_CASE("a damaged generation that is served is not replaced by the one before, either") {
  Shop shop(3);
  two_generations(shop);
  const std::string key = path("certificates/shop/2/privkey.pem");
  shop.world.files.erase(key);
  shop.world.files.put(key, "-----BEGIN PRIV");
  ca_is_down(shop);
  const std::string second = shop.fingerprint_served();
  CHECK(shop.renewed().action == Action::failed);
  CHECK(shop.fingerprint_served() == second);
  shop.ca.settings.outages.clear();
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.nginx.served().size() == 3);
}

TEST_CASE("a crash at any moment of that replacement never brings the older one back") {
  for (int steps = 0; steps < 600; steps += 11) {
    Shop shop(4);
    two_generations(shop);
    const std::string first = shop.nginx.served().front();
    lose_second(shop);
    CAPTURE(steps);
    const auto death = steps % 2 == 0 ? Shop::Death::kill : Shop::Death::power_failure;
    const auto ended = shop.renew_and_die_after_steps(steps, death);
    shop.renew();
    CHECK(shop.status().ok());
    CHECK(shop.ca.counters().certificates_issued <= 4);
    const auto& served = shop.nginx.served();
    CHECK(std::count(served.begin(), served.end(), first) == 1);
    if (ended) break;
  }
}

TEST_CASE("what is no good is replaced by what is here, and whoever asks for it gets it") {
  Shop shop(5);
  two_generations(shop);
  const std::string first = shop.nginx.served().front();
  ca_is_down(shop);
  lose_second(shop);
  SUBCASE("the lost one has expired") {
    // The first lives for longer.
    Shop other(6);
    other.ca.settings.certificate_lifetime = 90 * day;
    REQUIRE(other.renewed().action == Action::renewed);
    other.world.clock.run_for(3 * day);
    other.ca.settings.certificate_lifetime = 10 * day;
    REQUIRE(other.renewed(forced()).action == Action::renewed);
    lose_second(other);
    ca_is_down(other);
    other.world.clock.run_for(11 * day);
    other.renewed();
    CHECK(other.fingerprint_served() == other.nginx.served().front());
  }
  SUBCASE("a person wants the first") {
    RenewOptions deploy;
    deploy.work = RenewOptions::Work::deploy;
    CHECK(shop.renewed(deploy).action == Action::deployed);
    CHECK(shop.fingerprint_served() == first);
  }
}

TEST_CASE("no number is used twice, whatever is lost") {
  struct Row {
    const char* what;
    std::vector<std::string> lost;
  };
  const Row rows[] = {
      {"the generation", {}},
      {"and live/", {"live/shop"}},
      {"and live/ and deployed/", {"live/shop", "deployed/shop/nginx"}},
      {"and the records", {"certificates/shop/deployments.json"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Shop shop(7);
    two_generations(shop);
    lose_second(shop);
    for (const std::string& file : row.lost) shop.world.files.erase(path(file));
    REQUIRE(shop.renewed(forced()).action == Action::renewed);
    CHECK(shop.status().generation->number == 3);
  }
}

TEST_CASE("records that cannot be are told of and not believed") {
  const char* const rows[] = {
      R"({"schema":1,"targets":{"nginx":{"generation":99,"stage":"verified"}}})",
      R"({"schema":1,"targets":{"nginx":5}})",
      R"({"schema":1,"targets":{"nginx":{"generation":"x","stage":"verified"}}})",
  };
  for (const std::string text : rows) {
    CAPTURE(text);
    Shop shop(8);
    two_generations(shop);
    const std::string file = path("certificates/shop/deployments.json");
    shop.world.files.erase(file);
    shop.world.files.put(file, text);
    CHECK(shop.renewed().action == Action::deployed);
    CHECK(count(shop, "STATE_UNREADABLE") == 1);
    CHECK(shop.status().deployments.at("nginx").generation == 2);
    CHECK(shop.renewed().action == Action::not_due);
  }
}
