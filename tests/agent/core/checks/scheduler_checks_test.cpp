// Units that would not start, as the links of systemd say it.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;

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
