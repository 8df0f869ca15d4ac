// What is left of a certificate whose configuration is gone is told with the steps to its end.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

TEST_CASE("an orphan has the level of its expiry, which no silence hides at last") {
  CheckScene scene;
  scene.add_ca("ca");
  scene.add_challenge("web", "http-01");
  scene.add_certificate("shop", "shop.test");
  scene.renew();
  const auto newest = scene.store().newest_generation("shop");
  REQUIRE(newest);
  REQUIRE(newest->has_value());
  const Time end = (*newest)->leaf().not_after;
  scene.config.certificates.clear();
  struct Row {
    Duration left;
    int level;
    FindingSeverity severity;
  };
  const Row rows[] = {
      {24h * 40, 0, FindingSeverity::warning}, {24h * 29, 1, FindingSeverity::warning},
      {24h * 14, 2, FindingSeverity::error},   {24h * 6, 3, FindingSeverity::error},
      {-1h, 4, FindingSeverity::error},
  };
  for (const Row& row : rows) {
    CAPTURE(row.level);
    scene.world.clock.run_for(end - row.left - scene.world.clock.now());
    const Finding orphan = the(scene.check(life_checks(), false), "ORPHAN");
    CHECK(orphan.certificate == "shop");
    CHECK(orphan.level == row.level);
    CHECK(orphan.severity == row.severity);
  }
}
