// The daemon's rehearsals over months of virtual time: often enough, before each renewal, and never
// so often that a staging CA would mind.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

FakeCaSettings staging_settings() {
  FakeCaSettings settings;
  settings.base_url = "https://staging.test";
  return settings;
}

// A daemon with a staging CA, which rehearses every week.
struct RehearsingDaemon : DaemonScene {
  explicit RehearsingDaemon(std::uint64_t seed, FakeCaSettings settings = {})
      : DaemonScene(seed, std::move(settings)), staging(shop.world.add_ca(staging_settings())) {
    shop.config.cas[0].staging = staging.directory_url();
    shop.config.daemon.rehearse_interval = 7 * 24h;
  }
  std::vector<Time> times(const std::string& code) const {
    std::vector<Time> all;
    for (const Event& event : events) {
      if (event.code == code) all.push_back(event.at);
    }
    return all;
  }

  FakeCa& staging;
};

}  // namespace

TEST_CASE("a daemon rehearses every week and in the days before each renewal, and renews as ever") {
  RehearsingDaemon scene(21);
  REQUIRE(scene.start());
  scene.run_for(250 * 24h);
  CHECK(scene.count("REHEARSAL_FAILED") == 0);
  const auto passed = scene.times("REHEARSAL_PASSED");
  CHECK(passed.size() >= 250 / 7 * 3 / 4);
  CHECK(passed.size() <= 250 / 7 * 4 / 3 + 8);
  CHECK(passed.front() - scene.events.front().at < 3h);
  const auto issued = scene.times("CERTIFICATE_ISSUED");
  REQUIRE(issued.size() >= 4);
  for (std::size_t i = 1; i < issued.size(); ++i) {
    CHECK(std::any_of(passed.begin(), passed.end(),
                      [&](Time at) { return at < issued[i] && issued[i] - at < 8 * 24h; }));
  }
  for (std::size_t i = 1; i < passed.size(); ++i) CHECK(passed[i] - passed[i - 1] < 9 * 24h);
  CHECK(scene.issued() == static_cast<int>(issued.size()));
}

TEST_CASE("a daemon whose rehearsal fails tells within the week, tries again with back-off") {
  RehearsingDaemon scene(22);
  REQUIRE(scene.start());
  scene.run_for(10 * 24h);
  scene.shop.nginx.broken_configuration = true;
  REQUIRE(scene.run_until_event("REHEARSAL_FAILED", 9 * 24h));
  scene.run_for(7 * 24h);
  CHECK(scene.count("REHEARSAL_FAILED") >= 6);
  CHECK(scene.count("REHEARSAL_FAILED") <= 14);
  scene.shop.nginx.broken_configuration = false;
  CHECK(scene.run_until_event("REHEARSAL_PASSED", 31h));
}

TEST_CASE("a changed configuration is rehearsed within minutes of its being taken up") {
  RehearsingDaemon scene(23);
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("REHEARSAL_PASSED", 24h));
  scene.kill();
  scene.shop.config.targets["nginx"].environment["NGINX_CONF"] = "/etc/other.conf";
  REQUIRE(scene.start());
  CHECK(scene.run_until_event("REHEARSAL_PASSED", 12min));
  scene.kill();
  REQUIRE(scene.start());
  CHECK_FALSE(scene.run_until_event("REHEARSAL_PASSED", 24h));
}

TEST_CASE("what lives for six days is renewed so often that nothing is rehearsed") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 160h;
  RehearsingDaemon scene(24, settings);
  REQUIRE(scene.start());
  scene.run_for(30 * 24h);
  CHECK(scene.issued() >= 8);
  CHECK(scene.staging.counters().requests == 0);
}

TEST_CASE("a staging CA that asks to wait is not asked before") {
  RehearsingDaemon scene(25);
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("REHEARSAL_PASSED", 24h));
  scene.staging.settings.orders_per_account = {1, 20 * 24h};
  scene.run_for(18 * 24h);
  CHECK(scene.staging.counters().rate_limited <= 2);
  CHECK(scene.count("REHEARSAL_FAILED") == 0);
}
