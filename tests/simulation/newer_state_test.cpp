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
