// What a hook is given, and what its ending means.
#include "agent/core/hook.h"

#include <doctest/doctest.h>

using namespace nolapse;
using namespace std::chrono_literals;
using Ending = ProcessResult::Ending;

namespace {

struct Scene {
  Scene() {
    target.name = "nginx";
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
  HookRun run(const char* verb = "install") const { return {target, verb, spec, generation}; }
  Result<HookOutcome> judged(Ending ending, int code, const char* output = "",
                             const char* errors = "") const {
    return judge_hook(run(), {ending, code, output, errors});
  }
  DeployTarget target;
  CertificateSpec spec;
  Generation generation;
};

}  // namespace

TEST_CASE("a hook gets the published environment and nothing else") {
  const Scene scene;
  const ProcessSpec process = hook_process(scene.run("reload"));
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
  const std::string flood(100000, 'x');
  CHECK(judge_hook(scene.run(), {Ending::exited, 1, "", flood}).error().message.size() < 1000);
}
