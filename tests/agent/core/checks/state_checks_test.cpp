// Is there room wherever a renewal writes?
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;
constexpr std::uint64_t mebibyte = 1 << 20;

struct Scene : CheckScene {
  Scene() {
    world.files.put_directory("/srv/www");
    add_certificate("shop", "shop.test").challenges = {"web", "files"};
    add_challenge("files", "http-01").webroot = "/srv/www";
    add_challenge("unused", "http-01").webroot = "/nowhere";
    renew();
  }
  Lines lines() {
    auto found = check(state_checks(), false);
    std::erase_if(found, [](const Finding& each) { return each.code != "DISK_LOW"; });
    return brief(found);
  }
};

}  // namespace

TEST_CASE("the state directory is to have room for years, a webroot for a proof") {
  struct Row {
    FileSpace space;
    Lines state;
    Lines webroot;
  };
  const Lines low{"DISK_LOW warning  []"};
  const Lines last{"DISK_LOW error  []"};
  const Lines no_proof{"DISK_LOW error  [/srv/www]"};
  const Row rows[] = {
      {{65 * mebibyte, 6000, 10000}, {}, {}},
      {{63 * mebibyte, 6000, 10000}, low, {}},
      {{3 * mebibyte, 6000, 10000}, last, no_proof},
      {{65 * mebibyte, 4999, 10000}, low, {}},
      {{65 * mebibyte, 199, 10000}, last, no_proof},
      {{65 * mebibyte, 0, 0}, {}, {}},  // a file system that does not count them
  };
  for (const Row& row : rows) {
    CAPTURE(row.space.free_octets);
    CAPTURE(row.space.free_files);
    Scene scene;
    scene.world.files.set_space(scene.config.state_directory, row.space);
    CHECK(scene.lines() == row.state);
    Scene other;
    other.world.files.set_space("/srv/www", row.space);
    other.world.files.set_space("/nowhere", {});
    CHECK(other.lines() == row.webroot);
  }
}

TEST_CASE("a webroot that may not be looked at is unknown") {
  Scene scene;
  scene.world.files.set_closed("/srv", true);
  CHECK(scene.lines() == Lines{"DISK_LOW unknown  [/srv/www]"});
}

TEST_CASE("the hook service's folder is to have room, where that service runs hooks") {
  Scene scene;
  scene.config.targets["nginx"].name = "nginx";
  scene.config.targets["nginx"].user = "root";
  scene.config.certificates.front().deploy = {"nginx"};
  scene.config.hook_socket = "/run/nolapse-hooks/socket";
  scene.world.files.set_space("/run/nolapse-hooks", {mebibyte, 100, 1000});
  CHECK(scene.lines() == Lines{});
  scene.world.processes.hook_service = [](const HookOrder&) { return ProcessResult{}; };
  CHECK(scene.lines() == Lines{"DISK_LOW error  [/run/nolapse-hooks]"});
}

TEST_CASE("a state directory that is not there yet is made by the first renewal") {
  CheckScene scene;
  scene.add_certificate("shop", "shop.test");
  CHECK(CheckScene::brief(scene.check(state_checks(), false)) == Lines{});
}

TEST_CASE("a lock that cannot be taken is an error, and what lies in its place is not") {
  Scene scene;
  const std::string state = scene.config.state_directory;
  scene.world.files.erase(state + "/lock");
  scene.world.files.put_directory(state + "/lock");
  CHECK(CheckScene::brief(scene.check(state_checks(), false)) == Lines{"LOCK_HELD unknown  []"});
  scene.world.files.erase(state);
  scene.world.files.put(state, "no folder");
  const Finding found = the(scene.check(state_checks(), false), "DISK_WRITE_FAILED");
  CHECK(found.severity == FindingSeverity::error);
  CHECK(has(found.evidence, state));
}
