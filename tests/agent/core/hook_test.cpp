// What a hook is given, and what its ending means.
#include "agent/core/hook.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Ending = ProcessResult::Ending;

namespace {

struct Scene {
  Scene() {
    target.name = "nginx";
    target.section = "nginx";
    target.hook = "/hooks/nginx";
    target.user = "www";
    target.timeout = 30s;
    target.environment = {{"NGINX_BIN", "/usr/sbin/nginx"}};
    spec.name = "shop";
    spec.domains = {{"dns", "shop.test"}, {"dns", "www.shop.test"}};
    generation.number = 7;
    generation.directory = "/state/certificates/shop/7";
    acme::Certificate leaf;
    leaf.fingerprint_sha256 = "abcd";
    leaf.not_after = *acme::parse_rfc3339("2026-12-23T09:00:00Z");
    generation.chain = {leaf};
  }
  HookRun run(const char* verb = "install") const {
    return {target, verb, spec, generation, "/state/live/shop"};
  }
  Result<std::vector<ProcessSpec>> processes(HookKind kind, const char* hook) {
    target.kind = kind;
    target.hook = hook;
    return hook_processes(run(run_once), world.files);
  }
  Result<HookOutcome> judged(Ending ending, int code, const char* output = "",
                             const char* errors = "") const {
    return judge_hook(run(), {ending, code, output, errors});
  }
  DeployTarget target;
  CertificateSpec spec;
  Generation generation;
  FakeWorld world{1};
};

}  // namespace

TEST_CASE("a hook gets the published environment and nothing else") {
  const Scene scene;
  const ProcessSpec process = hook_processes(scene.run("reload"), scene.world.files)->front();
  CHECK(process.argv == std::vector<std::string>{"/hooks/nginx", "reload"});
  CHECK(process.user == "www");
  CHECK(process.deadline == 30s);
  const std::map<std::string, std::string> expected = {
      {"NGINX_BIN", "/usr/sbin/nginx"},
      {"NOLAPSE_CERT", "/state/certificates/shop/7/cert.pem"},
      {"NOLAPSE_CHAIN", "/state/certificates/shop/7/chain.pem"},
      {"NOLAPSE_DIR", "/state/certificates/shop/7"},
      {"NOLAPSE_DOMAINS", "shop.test www.shop.test"},
      {"NOLAPSE_FINGERPRINT_SHA256", "abcd"},
      {"NOLAPSE_FULLCHAIN", "/state/certificates/shop/7/fullchain.pem"},
      {"NOLAPSE_GENERATION", "7"},
      {"NOLAPSE_HOST", ""},
      {"NOLAPSE_NAME", "shop"},
      {"NOLAPSE_NOT_AFTER", "2026-12-23T09:00:00Z"},
      {"NOLAPSE_PRIVKEY", "/state/certificates/shop/7/privkey.pem"},
      {"NOLAPSE_TARGET", "nginx"},
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
  };
  CHECK(process.environment == expected);
}

TEST_CASE("a hook is told that there is no key where only the operator has it") {
  Scene scene;
  scene.generation.has_key = false;
  const auto processes = hook_processes(scene.run(), scene.world.files);
  CHECK(processes->front().environment.at("NOLAPSE_PRIVKEY") == "");
}

TEST_CASE("a hook that is asked before there is a pair gets empty words in its place") {
  Scene scene;
  scene.generation = {};
  const ProcessSpec process = hook_processes(scene.run("check"), scene.world.files)->front();
  for (const char* name :
       {"NOLAPSE_CERT", "NOLAPSE_CHAIN", "NOLAPSE_DIR", "NOLAPSE_FINGERPRINT_SHA256",
        "NOLAPSE_FULLCHAIN", "NOLAPSE_GENERATION", "NOLAPSE_NOT_AFTER", "NOLAPSE_PRIVKEY"}) {
    CAPTURE(name);
    REQUIRE(process.environment.contains(name));
    CHECK(process.environment.at(name) == "");
  }
  CHECK(process.environment.at("NOLAPSE_NAME") == "shop");
  CHECK(process.environment.at("NOLAPSE_DOMAINS") == "shop.test www.shop.test");
}

TEST_CASE("the exit status of a hook is judged by the contract") {
  const Scene scene;
  CHECK(scene.judged(Ending::exited, 0, "copied\nchanged\n")->changed);
  CHECK_FALSE(scene.judged(Ending::exited, 0, "unchanged\n")->changed);
  CHECK(scene.judged(Ending::exited, 0, "unchanged, said nobody\n")->changed);
  CHECK_FALSE(scene.judged(Ending::exited, 42)->supported);
  CHECK(scene.judged(Ending::exited, 75).error().kind == ErrorKind::transient);
  CHECK(scene.judged(Ending::exited, 75).error().code == "HOOK_TRY_LATER");
  CHECK(scene.judged(Ending::exited, 1).error().code == "HOOK_FAILED");
  CHECK(scene.judged(Ending::signalled, 9).error().code == "HOOK_FAILED");
  CHECK(scene.judged(Ending::timed_out, 0).error().code == "HOOK_TIMED_OUT");
}

TEST_CASE("a failure ends with the hook's last words, on one line") {
  const Scene scene;
  CHECK(scene.judged(Ending::exited, 1, "", "nginx: [emerg] bad\nnginx: test failed\n")
            .error()
            .message ==
        "target nginx: /hooks/nginx install failed with status 1: "
        "nginx: [emerg] bad nginx: test failed");
  CHECK(scene.judged(Ending::exited, 1, "on stdout\n").error().message.find("on stdout") !=
        std::string::npos);
  CHECK(scene.judged(Ending::exited, 1).error().message.find("it said nothing") !=
        std::string::npos);
  for (const char* answer : {"changed\n", "unchanged\n"}) {
    CAPTURE(answer);
    CHECK(scene.judged(Ending::exited, 1, answer).error().message.find("it said nothing") !=
          std::string::npos);
    CHECK(scene.judged(Ending::exited, 75, answer).error().message.find("changed") ==
          std::string::npos);
  }
  const std::string flood(100000, 'x');
  CHECK(judge_hook(scene.run(), {Ending::exited, 1, "", flood}).error().message.size() < 1000);
}

TEST_CASE("hooks of other clients are started as those clients would") {
  Scene scene;
  scene.generation.issued_at = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
  const auto certbot = scene.processes(HookKind::certbot, "/hooks/old.sh")->front();
  CHECK(certbot.argv == std::vector<std::string>{"/hooks/old.sh"});
  CHECK(certbot.environment.at("RENEWED_LINEAGE") == "/state/live/shop");
  CHECK(certbot.environment.at("RENEWED_DOMAINS") == "shop.test www.shop.test");
  CHECK(certbot.environment.at("NGINX_BIN") == "/usr/sbin/nginx");
  CHECK_FALSE(certbot.environment.contains("NOLAPSE_PRIVKEY"));
  const std::string at = "/state/certificates/shop/7/";
  CHECK(scene.processes(HookKind::dehydrated, "/hooks/hook.sh")->front().argv ==
        std::vector<std::string>{"/hooks/hook.sh", "deploy_cert", "shop.test", at + "privkey.pem",
                                 at + "cert.pem", at + "fullchain.pem", at + "chain.pem",
                                 "1795424400"});
  scene.target.shim = "/shim";
  CHECK(scene.processes(HookKind::acme_sh, "/opt/deploy/haproxy.sh")->front().argv ==
        std::vector<std::string>{"/shim", "/opt/deploy/haproxy.sh", "deploy", "shop.test",
                                 at + "privkey.pem", at + "cert.pem", at + "chain.pem",
                                 at + "fullchain.pem"});
}

TEST_CASE("a folder of certbot's hooks is run in the order of names, and none is skipped") {
  Scene scene;
  scene.world.files.put("/hooks/d/20-second", "", 0755);
  scene.world.files.put("/hooks/d/10-first", "", 0755);
  scene.world.files.put("/hooks/d/10-first~", "", 0644);
  const auto processes = scene.processes(HookKind::certbot, "/hooks/d");
  REQUIRE(processes);
  REQUIRE(processes->size() == 2);
  CHECK(processes->front().argv.front() == "/hooks/d/10-first");
  CHECK(processes->back().argv.front() == "/hooks/d/20-second");
  scene.world.files.put("/hooks/d/30-third", "", 0644);
  CHECK(scene.processes(HookKind::certbot, "/hooks/d").error().code == "HOOK_NOT_EXECUTABLE");
}

TEST_CASE("of another client's hook only 0 is a success, and no other number means anything") {
  Scene scene;
  scene.target.kind = HookKind::certbot;
  CHECK(scene.judged(Ending::exited, 0));
  CHECK(scene.judged(Ending::exited, 42).error().code == "HOOK_FAILED");
  CHECK(scene.judged(Ending::exited, 75).error().code == "HOOK_FAILED");
}
