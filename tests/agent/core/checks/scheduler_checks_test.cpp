// Units that would not start, as the links of systemd say it; and whether anybody renews here.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

Lines with(const std::vector<std::pair<std::string, std::string>>& links) {
  CheckScene scene;
  scene.world.files.put("/lib/systemd/system/nolapse.service", "[Service]\n");
  for (const auto& [path, target] : links) scene.world.files.put_symlink(target, path);
  Lines lines = CheckScene::brief(scene.check(scheduler_checks(), false));
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("HEARTBEAT"); });
  return lines;
}

}  // namespace

TEST_CASE("a unit is enabled by its link, and a mask takes that back") {
  const std::string wanted = "/etc/systemd/system/multi-user.target.wants/nolapse.service";
  const std::string unit = "/lib/systemd/system/nolapse.service";
  const Lines found{"UNIT_NOT_ENABLED error  [unit nolapse.service]"};
  CHECK(with({}) == found);
  CHECK(with({{wanted, unit}}) == Lines{});
  CHECK(with({{wanted, unit}, {"/etc/systemd/system/nolapse.service", "/dev/null"}}) == found);
  CHECK(with({{wanted, unit}, {"/run/systemd/system/nolapse.service", "/dev/null"}}) == found);
}

TEST_CASE("a certificate that the daemon leaves out is told of once its planned look is late") {
  CheckScene scene;
  scene.add_certificate("shop", "shop.test");
  const Time now = scene.world.clock.now();
  scene.config.daemon.check_interval = 1h;
  const auto found = [&](std::optional<Time> next_look, Duration running) {
    DaemonView daemon;
    daemon.since = now - running;
    if (next_look) daemon.next_looks["shop"] = *next_look;
    const auto all = scene.check(scheduler_checks(), false, {}, daemon);
    return std::count_if(all.begin(), all.end(), [](const Finding& finding) {
      return finding.code == "CERTIFICATE_NOT_CONSIDERED";
    });
  };
  CHECK(found(now + 24h, 48h) == 0);  // as planned, however long ago the last one was
  CHECK(found(now - 3h, 48h) == 0);
  CHECK(found(now - 3h - 1s, 48h) == 1);
  CHECK(found({}, 2h) == 0);
  CHECK(found({}, 4h) == 1);
}

TEST_CASE("a host on which a timer renews is well, and not as long again as it is silent") {
  CheckScene scene;
  scene.add_certificate("shop", "shop.test");
  const auto found = [&] { return CheckScene::brief(scene.check(scheduler_checks(), false)); };
  const Lines nobody{"HEARTBEAT_OLD error  []"};
  CHECK(found() == nobody);
  scene.renew();
  CHECK(found() == Lines{});
  scene.world.clock.run_for(std::chrono::hours(47));
  CHECK(found() == Lines{});
  scene.world.clock.run_for(std::chrono::hours(2));
  CHECK(found() == nobody);
  scene.renew();
  CHECK(found() == Lines{});
  scene.world.files.put(scene.config.state_directory + "/heartbeat", "2020-01-01T00:00:00Z\n");
  CHECK(found() == nobody);
}
