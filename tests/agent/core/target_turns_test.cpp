// Turns at deployment targets: one at a time at each, a shared reload, and a section's limit.
#include "agent/core/target_turns.h"

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

struct Scene {
  DeployTarget& target(const std::string& name, const std::string& section, unsigned parallel = 8) {
    DeployTarget& target = targets[name];
    target.name = name;
    target.section = section;
    target.parallel = parallel;
    return target;
  }
  // Installs for a second, then wants the reload, which takes another.
  void deploy(const std::string& who, const DeployTarget& target) {
    turns.enter(target, [this, who, &target] {
      said.push_back(who + " installs");
      clock.start_timer(1s, [this, who, &target] {
        turns.leave_to_reload(
            target,
            [this, who](Completion<HookOutcome> done) {
              said.push_back(who + " reloads");
              clock.start_timer(1s, [done = std::move(done)] { done(HookOutcome{}); });
            },
            [this, who](const Result<HookOutcome>&) { said.push_back(who + " is done"); });
      });
    });
  }
  void fail(const std::string& who, const DeployTarget& target) {
    turns.enter(target, [this, who, &target] {
      said.push_back(who + " fails");
      clock.start_timer(1s, [this, &target] { turns.leave(target); });
    });
  }
  std::vector<std::string> all() {
    clock.run_for(24h);
    return said;
  }

  FakeClock clock{Time{}};
  TargetTurns turns{clock};
  std::map<std::string, DeployTarget> targets;
  std::vector<std::string> said;
};

using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("several certificates for one target share one reload") {
  Scene scene;
  const DeployTarget& nginx = scene.target("nginx", "nginx");
  for (const char* who : {"a", "b", "c"}) scene.deploy(who, nginx);
  CHECK(scene.all() == Said{"a installs", "b installs", "c installs", "c reloads", "a is done",
                            "b is done", "c is done"});
}

TEST_CASE("who comes during a reload has the next one") {
  Scene scene;
  const DeployTarget& nginx = scene.target("nginx", "nginx");
  scene.deploy("a", nginx);
  scene.clock.run_for(1500ms);
  scene.deploy("b", nginx);
  CHECK(scene.all() ==
        Said{"a installs", "a reloads", "a is done", "b installs", "b reloads", "b is done"});
}

TEST_CASE("an install that fails behind others does not keep them from their reload") {
  Scene scene;
  const DeployTarget& nginx = scene.target("nginx", "nginx");
  scene.deploy("a", nginx);
  scene.fail("b", nginx);
  CHECK(scene.all() == Said{"a installs", "b fails", "a reloads", "a is done"});
}

TEST_CASE("an endless row of installs does not put the reload off for ever") {
  Scene scene;
  const DeployTarget& nginx = scene.target("nginx", "nginx");
  for (std::size_t i = 0; i < TargetTurns::longest_batch + 1; ++i) scene.deploy("x", nginx);
  const Said said = scene.all();
  CHECK(said[TargetTurns::longest_batch] == "x reloads");
  CHECK(std::count(said.begin(), said.end(), "x reloads") == 2);
  CHECK(std::count(said.begin(), said.end(), "x is done") ==
        static_cast<long>(TargetTurns::longest_batch) + 1);
}

TEST_CASE("targets do not wait for each other, a section's hosts beyond its limit do") {
  Scene scene;
  const DeployTarget& slow = scene.target("slow", "slow");
  scene.turns.enter(slow, [] {});  // never leaves
  scene.deploy("a", scene.target("edge@1", "edge", 2));
  scene.deploy("b", scene.target("edge@2", "edge", 2));
  scene.deploy("c", scene.target("edge@3", "edge", 2));
  scene.clock.run_for(500ms);
  CHECK(scene.said == Said{"a installs", "b installs"});
  CHECK(scene.all().size() == 9);
  CHECK(scene.said.back().ends_with(" is done"));
}
