// What is said of a target that does not have the newest generation, and of generations that are
// named and not there.
#include <doctest/doctest.h>

#include "agent/core/store_documents.h"
#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

// Two generations, of which nginx has the first.
struct Scene : CheckScene {
  Scene() {
    add_certificate("shop", "shop.test");
    renew();
    world.clock.run_for(24h * 62);
    renew();
    config.targets["nginx"].name = "nginx";
    config.certificates.front().deploy = {"nginx"};
  }
  void record(DeploymentRecord record) {
    world.files.put(folder() + "/deployments.json",
                    write_document(DeploymentRecords{{"nginx", std::move(record)}}));
  }
  DeploymentRecord has(unsigned number) const {
    DeploymentRecord record;
    record.stage = DeploymentStage::verified;
    record.generation = number;
    record.judged = true;
    return record;
  }
  void take_back() {
    DeploymentRecord record = has(1);
    record.withdrawn = 2;
    this->record(record);
  }
  std::string folder() const { return config.state_directory + "/certificates/shop"; }
  Lines life() { return brief(check(life_checks(), false)); }
  Lines state() { return brief(check(state_checks(), false)); }
};

}  // namespace

TEST_CASE("a generation that was taken back is said to be withheld, and until when") {
  Scene scene;
  REQUIRE(scene.store().newest_generation("shop")->value().number == 2);
  scene.record(scene.has(2));
  CHECK(scene.life() == Lines{});
  scene.take_back();
  const auto found = scene.check(life_checks(), false);
  const Finding& withheld = the(found, "GENERATION_WITHHELD");
  CHECK(withheld.severity == FindingSeverity::warning);
  CHECK(withheld.subject == "target nginx");
  CHECK(has(withheld.summary, "generation 2 was taken back from target nginx"));
  const auto first = scene.store().load_generation("shop", 1);
  CHECK(has(withheld.evidence, acme::format_rfc3339(little_is_left_from(first->leaf()))));
  CHECK(has(withheld.fix, "nolapse deploy shop --target nginx"));
}

TEST_CASE("what is in use and nears its end is found, although a newer one lies there") {
  Scene scene;
  scene.take_back();
  CHECK(scene.life() == Lines{"GENERATION_WITHHELD warning shop [target nginx]"});
  // Four weeks are left of the first one: it should have been renewed by now.
  scene.world.clock.run_for(24h * 4);
  const auto found = scene.check(life_checks(), false);
  const Finding& near = the(found, "EXPIRY_NEAR");
  CHECK(has(near.summary, "target nginx has generation 1: it expires in"));
  CHECK(has(near.fix, "nolapse deploy shop --target nginx"));
  scene.world.clock.run_for(24h * 30);
  CHECK(the(scene.check(life_checks(), false), "EXPIRED").severity == FindingSeverity::error);
}

TEST_CASE("one that waits for a window is shown, and is fine") {
  Scene scene;
  scene.config.targets["nginx"].window = DailyWindow{2h, 5h};
  DeploymentRecord record = scene.has(1);
  record.next_attempt = scene.world.clock.now() + 5h;
  scene.record(record);
  CHECK(scene.life() == Lines{});
}

TEST_CASE("a generation that a link names and nobody has is lost; a record alone is wrong") {
  Scene scene;
  scene.record(scene.has(2));
  CHECK(scene.state() == Lines{});
  scene.world.files.put_symlink("../certificates/shop/3", scene.store().live_path("shop"));
  CHECK(scene.state() == Lines{"GENERATION_DAMAGED error shop []"});
  // That the link says so, too, makes it no contradiction.
  scene.record(scene.has(3));
  CHECK(scene.state() == Lines{"GENERATION_DAMAGED error shop []"});
  scene.record(scene.has(99));
  CHECK(scene.state() == Lines{"GENERATION_DAMAGED error shop []",
                               "STATE_UNREADABLE error shop [deployments.json]"});
  scene.world.files.erase(scene.folder() + "/deployments.json");
  scene.world.files.put(scene.folder() + "/deployments.json", R"({"schema":1,"targets":{"a":5}})");
  CHECK(scene.state() == Lines{"GENERATION_DAMAGED error shop []",
                               "STATE_UNREADABLE error shop [deployments.json]"});
}
