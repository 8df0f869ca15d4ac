// A state directory that a newer nolapse has written to, and an older one that must make do: it
// says so once, goes on, and puts aside what it could not read.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

TEST_CASE("a file of a newer nolapse is reported once, put aside, and costs no certificate") {
  constexpr const char* newer = "{\"schema\": 9, \"content\": \"from the future\"}\n";
  for (const char* file :
       {"/certificates/shop/schedule.json", "/certificates/shop/deployments.json",
        "/certificates/shop/issuance.json", "/ledger/ca.json", "/accounts/ca/account.json"}) {
    CAPTURE(file);
    DaemonScene scene(1);
    REQUIRE(scene.start());
    scene.run_for(59 * 24h);
    REQUIRE(scene.issued() == 1);
    scene.kill();
    const std::string path = std::string(Shop::state) + file;
    scene.shop.world.files.put(path, newer);
    REQUIRE(scene.start());
    scene.run_for(14 * 24h);
    CHECK(scene.issued() == 2);
    CHECK(scene.count("STATE_UNREADABLE") == 1);
    CHECK(scene.shop.world.files.text(path + ".unreadable") == newer);
    CHECK(scene.shop.status().ok());
    for (const Event& event : scene.events) {
      if (event.code != "STATE_UNREADABLE") continue;
      CHECK(event.message.find(path + ": written by a newer nolapse (schema 9") == 0);
    }
  }
}

TEST_CASE("a disk that does not take what replaces a newer file loses neither") {
  constexpr const char* newer = "{\"schema\": 9}\n";
  Shop shop(2);
  shop.renewed();
  const std::string path = std::string(Shop::state) + "/certificates/shop/schedule.json";
  shop.world.files.put(path, newer);
  shop.world.files.set_read_only(std::string(Shop::state) + "/certificates/shop", true);
  shop.renewed();
  CHECK(shop.world.files.text(path) == newer);
  shop.world.files.set_read_only(std::string(Shop::state) + "/certificates/shop", false);
  shop.renewed();
  CHECK(shop.world.files.text(path + ".unreadable") == newer);
  CHECK(shop.world.files.text(path).find("\"schema\": 1") != std::string::npos);
}

TEST_CASE("what stands in the place of a folder or of the lock is put aside and ends nothing") {
  for (const std::string name : {"events", "ledger", "live", "deployed", "tmp", "lock"}) {
    CAPTURE(name);
    DaemonScene scene(1);
    const std::string path = std::string(Shop::state) + "/" + name;
    if (name == "lock") {
      scene.shop.world.files.put_directory(path);
    } else {
      scene.shop.world.files.put(path, "an intruder\n");
    }
    REQUIRE(scene.start());
    scene.run_for(1h);
    CHECK(scene.issued() == 1);
    CHECK(scene.count("STATE_UNREADABLE") == 1);
    CHECK(scene.shop.world.files.exists(path + ".unreadable"));
    CHECK(scene.shop.status().ok());
    scene.kill();
    REQUIRE(scene.start());
    CHECK(scene.count("STATE_UNREADABLE") == 1);
  }
}

TEST_CASE("what was put aside before is kept when there is an intruder again") {
  DaemonScene scene(1);
  const std::string path = std::string(Shop::state) + "/ledger";
  for (const char* intruder : {"one", "two"}) {
    if (scene.shop.world.files.exists(path)) scene.shop.world.files.erase(path);
    scene.shop.world.files.put(path, intruder);
    REQUIRE(scene.start());
    scene.run_for(1h);
    scene.kill();
  }
  CHECK(scene.shop.world.files.text(path + ".unreadable") == "one");
  CHECK(scene.shop.world.files.text(path + ".unreadable.2") == "two");
}
