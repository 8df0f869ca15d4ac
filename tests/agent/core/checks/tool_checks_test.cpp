// Hooks of this and of other clients: what would keep a renewal from running them is found before.
#include <doctest/doctest.h>

#include "agent/core/hook_order.h"
#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

struct Scene : CheckScene {
  explicit Scene(HookKind kind) {
    target().name = "old";
    target().section = "old";
    target().hook = "/hooks";
    target().kind = kind;
    world.files.put("/bin/sh", "", 0755);
    world.files.put("/usr/bin/env", "", 0755);
    world.files.put_directory("/hooks");
    add_certificate("shop", "shop.test");
    renew();
    config.certificates.front().deploy = {"old"};
  }
  DeployTarget& target() { return config.targets["old"]; }
  // Without CHANGED_SINCE_SUCCESS: the target is new.
  Lines lines(bool deep = false) {
    Lines found = brief(check(tool_checks(), deep));
    std::erase_if(found, [](const std::string& line) { return line.starts_with("CHANGED"); });
    return found;
  }
};

Lines only_line(const std::string& code, const char* severity = "error") {
  return {code + " " + severity + " shop [target old]"};
}

}  // namespace

TEST_CASE("a folder of certbot's hooks is looked at as the renewal looks at it") {
  Scene scene(HookKind::certbot);
  CHECK(scene.lines() == only_line("HOOK_MISSING"));
  scene.world.files.put("/hooks/10~", "#!/bin/sh\n", 0755);  // an editor's copy is no hook
  CHECK(scene.lines() == only_line("HOOK_MISSING"));
  scene.world.files.put("/hooks/10", "#!/bin/sh\n", 0644);
  CHECK(scene.lines() == only_line("HOOK_NOT_EXECUTABLE"));
  scene.world.files.put("/hooks/10", "#!/bin/sh\n", 0755);
  CHECK(scene.lines() == Lines{});
  scene.world.files.set_closed("/hooks", true);
  CHECK(scene.lines() == only_line("HOOK_MISSING", "unknown"));
}

TEST_CASE("a first line is read as the kernel reads it") {
  struct Row {
    const char* line;
    bool found;
  };
  for (const Row& row :
       {Row{"#!/bin/sh\n", false}, Row{"#! \t/bin/sh -e\n", false}, Row{"#!/bin/sh", false},
        Row{"#!/bin/sh\r\n", true}, Row{"#!/bin/sh -e\r\n", true}, Row{"#!/bin/bash\n", true},
        Row{"#!/usr/bin/env sh\n", false}, Row{"#!/usr/bin/env python9\n", true},
        Row{"#!sh\n", true}, Row{"no first line\r\n", false}}) {
    CAPTURE(row.line);
    Scene scene(HookKind::certbot);
    scene.world.files.put("/hooks/10", row.line, 0755);
    CHECK(scene.lines() == (row.found ? only_line("HOOK_INTERPRETER_MISSING") : Lines{}));
  }
}

TEST_CASE("what the hook service is to run, it is asked for, whoever wrote the hook") {
  for (const HookKind kind : {HookKind::certbot, HookKind::dehydrated}) {
    Scene scene(kind);
    scene.world.files.put("/hooks/10", "#!/bin/sh\n", 0755);
    if (kind == HookKind::dehydrated) scene.target().hook = "/hooks/10";
    scene.target().user = "root";
    // Whoever may become root does not run it for a check.
    CHECK(scene.lines(true) == Lines{});
    CHECK(scene.world.processes.started().empty());
    const auto refused = [&](const char* code, const std::string& message) {
      scene.world.processes.hook_service = [=](const HookOrder& order) -> Result<ProcessResult> {
        CHECK(order.verb == "check");
        return fail(ErrorKind::local, code, message);
      };
      return scene.lines(true);
    };
    CHECK(refused("HOOK_SERVICE_MISSING", "it is not running") == only_line("HOOK_CHECK_FAILED"));
    CHECK(refused("HOOK_ORDER_REFUSED", "certificate shop does not go to a target named \"old\"") ==
          only_line("HOOK_CHECK_FAILED"));
    CHECK(refused("PERMISSION_DENIED", "only for root") ==
          only_line("HOOK_CHECK_FAILED", "unknown"));
    const auto as_answered =
        find_ordered_hook(scene.config, {"old", "check", "shop", 1}).error().message;
    CHECK(refused("HOOK_ORDER_REFUSED", "the hook service refuses it: " + as_answered) == Lines{});
  }
}

TEST_CASE("a hook is asked before the first certificate, too, and told that there is none") {
  CheckScene scene;
  DeployTarget& target = scene.config.targets["new"];
  target.name = target.section = "new";
  target.hook = "/hooks/new";
  scene.world.files.put("/bin/sh", "", 0755);
  scene.world.files.put("/hooks/new", "#!/bin/sh\n", 0755);
  scene.add_certificate("shop", "shop.test").deploy = {"new"};
  int answer = 0;
  scene.world.processes.add(
      "/hooks/new", {[&](const ProcessSpec& spec) {
        CHECK(spec.argv.at(1) == "check");
        CHECK(spec.environment.at("NOLAPSE_FULLCHAIN") == "");
        return ProcessResult{ProcessResult::Ending::exited, answer, {}, "bogus"};
      }});
  CHECK(CheckScene::brief(scene.check(tool_checks())) == Lines{});
  CHECK(scene.world.processes.started() == Lines{"/hooks/new check"});
  answer = 1;
  const auto found = scene.check(tool_checks());
  CHECK(CheckScene::brief(found) == Lines{"HOOK_CHECK_FAILED error shop [target new]"});
  CHECK(has(only(found).evidence, "bogus"));
  target.user = "root";
  scene.world.processes.hook_service = [](const HookOrder& order) -> Result<ProcessResult> {
    CHECK(order.generation == 0);
    return ProcessResult{ProcessResult::Ending::exited, 0, "unchanged\n", {}};
  };
  CHECK(CheckScene::brief(scene.check(tool_checks())) == Lines{});
}
