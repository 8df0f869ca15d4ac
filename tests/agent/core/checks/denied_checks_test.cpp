// What may not be looked at is unknown: neither fine, nor damaged.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Codes = std::set<std::string>;
using Family = CheckFamily (*)();

// Those that look into the state directory.
constexpr Family families[] = {life_checks,   material_checks,  state_checks,
                               tool_checks,   rehearsal_checks, scheduler_checks,
                               served_checks, config_checks,    alert_checks};

struct Scene : CheckScene {
  Scene() {
    config.targets["nginx"].name = "nginx";
    config.targets["nginx"].section = "nginx";
    config.targets["nginx"].hook = "/hooks/nginx";
    world.files.put("/hooks/nginx", "#!/bin/sh\n", 0755);
    world.processes.add("/hooks/nginx", {[](const ProcessSpec&) {
                          return ProcessResult{ProcessResult::Ending::exited, 0, "changed\n", ""};
                        }});
    world.files.put("/bin/sh", "", 0755);
    world.files.put("/etc/machine-id", "0123456789abcdef\n");
    config.files = {"/etc/nolapse/nolapse.toml"};
    world.files.put(config.files.front(), "");
    add_certificate("shop", "shop.test").deploy = {"nginx"};
    config.daemon.rehearse_interval = 24h * 7;
    renew();
  }
  Codes codes(FindingSeverity severity, bool deep = false) {
    Codes found;
    for (const Family family : families) {
      for (const Finding& finding : check(family(), deep)) {
        if (finding.severity == severity) found.insert(finding.code);
      }
    }
    return found;
  }
  static std::string words(const Codes& codes) {
    std::string text;
    for (const std::string& code : codes) text += code + " ";
    return text;
  }
  std::string pair() { return store().newest_generation("shop")->value().directory; }
};

}  // namespace

TEST_CASE("whoever may not look into the state directory knows nothing of what is in it") {
  Scene scene;
  REQUIRE(scene.codes(FindingSeverity::unknown) == Codes{});
  const Codes errors = scene.codes(FindingSeverity::error);
  scene.config.certificates.front().group = "www";
  scene.config.certificates.front().endpoints.reset();
  scene.world.files.set_closed(scene.config.state_directory, true);
  CHECK(Scene::words(scene.codes(FindingSeverity::unknown)) ==
        Scene::words({"ALERT_CHANNEL_FAILING",
                      "CHALLENGE_LEFT_BEHIND",
                      "CHANGED_SINCE_SUCCESS",
                      "DEPLOYMENT_FAILING",
                      "EXPIRY_NEAR",
                      "GENERATION_DAMAGED",
                      "GENERATION_WITHHELD",
                      "HEARTBEAT_OLD",
                      "INTERMEDIATE_EXPIRES",
                      "ISSUER_CHANGED",
                      "KEY_NOT_READABLE",
                      "KEY_REUSED",
                      "NAMES_DIFFER",
                      "NOT_SERVED",
                      "ORDER_STUCK",
                      "ORPHAN",
                      "REHEARSAL_OLD",
                      "RENEWAL_UNKNOWN",
                      "REVOKED",
                      "SECRET_EXPOSED",
                      "STATE_FROM_ANOTHER_MACHINE",
                      "STATE_UNREADABLE",
                      "UNVERIFIED",
                      "WEAK_KEY"}));
  CHECK(scene.codes(FindingSeverity::error).size() <= errors.size());
}

TEST_CASE("a key that may not be read is no damage, to whoever is not the one who needs it") {
  Scene scene;
  scene.world.files.set_unreadable(scene.pair() + "/privkey.pem", true);
  const auto found = scene.check(state_checks(), false);
  CHECK(CheckScene::brief(found) == std::vector<std::string>{"GENERATION_DAMAGED unknown shop []"});
  has(only(found).fix, "as root");
  // A hook could not read it either, so what it says is of no use.
  const auto hook = scene.check(tool_checks(), true);
  CHECK(CheckScene::brief(hook) ==
        std::vector<std::string>{"HOOK_CHECK_FAILED unknown shop [target nginx]"});
  CHECK(std::count(scene.world.processes.started().begin(), scene.world.processes.started().end(),
                   "/hooks/nginx check") == 0);
}

TEST_CASE("a key that does not belong to its certificate is damage") {
  Scene scene;
  scene.world.files.put(scene.pair() + "/privkey.pem", "nonsense");
  CHECK(the(scene.check(state_checks(), false), "GENERATION_DAMAGED").severity ==
        FindingSeverity::error);
}

TEST_CASE("a key that belongs to another group than the configured one is closed to that") {
  Scene scene;
  scene.config.certificates.front().group = "www";
  scene.renew();
  scene.world.files.put("/etc/group", "root:x:0:\nwww:x:www:nginx\n");  // the fake has no numbers
  const auto found = [&] { return CheckScene::brief(scene.check(config_checks(), false)); };
  CHECK(found() == std::vector<std::string>{});
  scene.world.files.put("/etc/group", "www2:x:www:\nwww:x:33:\n");
  CHECK(found() == std::vector<std::string>{"KEY_NOT_READABLE error shop []"});
}
