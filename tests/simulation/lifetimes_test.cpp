// Whatever a certificate's lifetime is, a daemon left alone never lets it lapse, orders no more
// than it has to, and alarms nobody.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

TEST_CASE("lifetimes from five minutes to 398 days are renewed in time, without an alarm") {
  struct Row {
    Duration lifetime;
    bool advised;  // does the CA give renewal information?
    int least, most;
  };
  // Over ten lifetimes: half or two thirds of each is used.
  const Row rows[] = {
      {5min, false, 14, 30},     {5min, true, 14, 30},      {1h, false, 15, 25},
      {1h, true, 15, 25},        {160h, false, 18, 25},     {160h, true, 18, 25},
      {45 * 24h, true, 13, 18},  {90 * 24h, false, 13, 18}, {398 * 24h, false, 13, 18},
      {398 * 24h, true, 13, 18},
  };
  for (const Row& row : rows) {
    const std::string lifetime = acme::format_duration(row.lifetime);
    CAPTURE(lifetime);
    const bool advised = row.advised;
    CAPTURE(advised);
    FakeCaSettings settings;
    settings.certificate_lifetime = row.lifetime;
    settings.backdate = 0s;
    settings.renewal_info = row.advised;
    DaemonScene scene(119, settings);
    scene.shop.config.cas[0].rate_limits = RateLimits::none();
    // Every five minutes of ten years would be most of what this test does.
    scene.shop.config.daemon.heartbeat_interval = std::max<Duration>(5min, row.lifetime / 300);
    REQUIRE(scene.start());
    REQUIRE(scene.shop.world.clock.run_until([&] { return scene.issued() > 0; }, 1min));
    scene.run_for(10s);
    int lapsed = 0;
    for (int i = 0; i < 1000; ++i) {
      scene.run_for(row.lifetime / 100);
      if (scene.remaining() <= 0s) ++lapsed;
    }
    CHECK(lapsed == 0);
    CHECK(scene.issued() >= row.least);
    CHECK(scene.issued() <= row.most);
    CHECK(scene.count("EXPIRY_NEAR") == 0);
    CHECK(scene.count("EXPIRED") == 0);
  }
}

TEST_CASE("five minutes are renewed in time even against what Let's Encrypt's limits would allow") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 5min;
  settings.backdate = 0s;
  DaemonScene scene(120, settings);
  REQUIRE(scene.start());
  REQUIRE(scene.shop.world.clock.run_until([&] { return scene.issued() > 0; }, 1min));
  scene.run_for(10s);
  int lapsed = 0;
  for (int i = 0; i < 1000; ++i) {
    scene.run_for(3s);
    if (scene.remaining() <= 0s) ++lapsed;
  }
  CHECK(lapsed == 0);
}
