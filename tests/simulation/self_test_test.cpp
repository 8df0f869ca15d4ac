// The daemon's self-tests, left alone in the shop's world: a fault is told of within a cycle, once,
// and so is its end; a healthy shop is told nothing for months.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

class Scene : public DaemonScene {
 public:
  explicit Scene(std::uint64_t seed) : DaemonScene(seed) {
    shop.config.daemon.self_tests = true;
    shop.config.daemon.check_interval = 1h;
    shop.world.files.put("/etc/nolapse/nolapse.toml", "", 0644);
    shop.world.files.put("/bin/sh", "", 0755);  // the hook's interpreter
    shop.config.files = {"/etc/nolapse/nolapse.toml"};
    for (const char* name : {"one", "another"}) {
      AlertChannel channel{name, "email"};
      channel.settings["smtp"] = "smtp://mail.test:587";
      channel.to = {std::string(name) + "@shop.test"};
      shop.config.alerts.channels.push_back(std::move(channel));
    }
  }
  int mails_with(const std::string& text) const {
    const auto& taken = shop.world.mail.taken;
    return static_cast<int>(std::count_if(taken.begin(), taken.end(), [&](const MailMessage& mail) {
      return mail.content.find(text) != std::string::npos;
    }));
  }
  int findings() const {
    const auto saved = Store(Shop::state, shop.world.files).load_findings();
    return saved ? static_cast<int>(saved->findings.size()) : -1;
  }
  std::vector<std::string> codes() const {
    std::vector<std::string> list;
    const auto saved = Store(Shop::state, shop.world.files).load_findings();
    if (!saved) return {"UNREADABLE"};
    for (const Finding& finding : saved->findings) list.push_back(finding.code);
    return list;
  }
};

}  // namespace

TEST_CASE("a service that is down is told of once, and so is its end") {
  Scene scene(301);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 2h));
  scene.run_for(24h);
  CHECK(scene.count("ENDPOINT_UNREACHABLE") == 1);
  scene.shop.nginx.unreachable = false;
  CHECK(scene.run_until_event("FINDING_RESOLVED", 2h));
}

TEST_CASE("what was found is remembered over a restart and not told again") {
  Scene scene(302);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 2h));
  scene.run_for(1min);
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(12h);
  CHECK(scene.count("ENDPOINT_UNREACHABLE") == 1);
}

TEST_CASE("a disk that is full is told of before a renewal needs it") {
  Scene scene(303);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.files.set_disk_full(true);
  CHECK(scene.run_until_event("DISK_LOW", 2h));
}

TEST_CASE("damaged findings begin anew and are not overwritten") {
  Scene scene(304);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.kill();
  const std::string path = std::string(Shop::state) + "/findings.json";
  scene.shop.world.files.run({RemoveTree{path}, WriteFile{path, "not json", 0644, {}}},
                             [](Result<void>) {});
  scene.shop.world.clock.run_for(1s);
  REQUIRE(scene.start());
  CHECK(scene.count("STATE_UNREADABLE") >= 1);
  scene.run_for(3h);
  CHECK(scene.findings() >= 0);
  CHECK(scene.shop.world.files.read(path + ".unreadable") == "not json");
}

TEST_CASE("an alert is delivered after an outage of the mail server and a power failure") {
  Scene scene(305);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.mail.refuses = "421 closing";
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ALERT_NOT_DELIVERED", 3h));
  scene.run_for(6h);
  CHECK(scene.mails_with("ENDPOINT_UNREACHABLE") == 0);
  CHECK(scene.count("ALERT_NOT_DELIVERED") == 2);  // once for each channel
  scene.daemon.reset();
  scene.shop.world.crash();
  scene.shop.world.mail.refuses.clear();
  REQUIRE(scene.start());
  scene.run_for(3h);
  CHECK(scene.mails_with("WARNING ENDPOINT_UNREACHABLE") >= 2);
  // A channel that failed so long was a finding itself.
  CHECK(scene.mails_with("ALERT_CHANNEL_FAILING") >= 2);
  const int before = scene.mails_with("WARNING ENDPOINT_UNREACHABLE");
  scene.run_for(12h);
  CHECK(scene.mails_with("WARNING ENDPOINT_UNREACHABLE") == before);
  scene.shop.nginx.unreachable = false;
  scene.run_for(3h);
  CHECK(scene.mails_with("RESOLVED ENDPOINT_UNREACHABLE") >= 2);
}

TEST_CASE("a healthy shop is told nothing for months but that its channels work") {
  Scene scene(306);
  scene.shop.config.daemon.check_interval = 6h;
  REQUIRE(scene.start());
  scene.run_for(24h * 120);
  CHECK(scene.issued() >= 2);
  for (const std::string& code : scene.codes()) {
    CAPTURE(code);
    FAIL_CHECK("is found in a healthy shop");
  }
  CHECK(scene.mails_with("ERROR") == 0);
  CHECK(scene.mails_with("WARNING") == 0);
  CHECK(scene.mails_with("this channel works") >= 8);
  CHECK(scene.mails_with("this channel works") <= 10);
}

TEST_CASE("a fault forty days before expiry is told by mail the same day") {
  struct Fault {
    const char* code;
    std::function<void(Shop&)> apply;
  };
  const std::vector<Fault> faults = {
      {"HOOK_MISSING",
       [](Shop& shop) { shop.world.files.run({RemoveTree{"/hooks/nginx"}}, [](Result<void>) {}); }},
      {"ENDPOINT_UNREACHABLE", [](Shop& shop) { shop.nginx.unreachable = true; }},
      {"DISK_LOW", [](Shop& shop) { shop.world.files.set_disk_full(true); }},
      {"CA_UNREACHABLE",
       [](Shop& shop) {
         shop.world.http.route(shop.ca.settings.base_url).fault = FakeHttp::Fault::refused;
       }},
      {"NAME_LOOKUP_FAILED",
       [](Shop& shop) { shop.world.dns.name("shop.test").fault = FakeDns::Fault::server_failure; }},
  };
  for (const Fault& fault : faults) {
    CAPTURE(fault.code);
    Scene scene(307);
    scene.shop.config.daemon.check_interval = 6h;
    REQUIRE(scene.start());
    scene.run_for(1h);
    scene.run_for(scene.remaining() - 40 * 24h);
    const int before = scene.issued();
    fault.apply(scene.shop);
    scene.run_for(24h);
    CHECK(scene.mails_with(fault.code) >= 1);
    CHECK(scene.issued() == before);  // no renewal was needed to find it
  }
}
