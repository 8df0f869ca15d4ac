// Ways in which a certificate, or its neighbours, once were forgotten without a word, or cared for
// far too often.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

// Warnings and errors since that event.
int troubles(const DaemonScene& scene, std::size_t from) {
  return static_cast<int>(
      std::count_if(scene.events.begin() + static_cast<std::ptrdiff_t>(from), scene.events.end(),
                    [](const Event& event) { return event.severity != Severity::info; }));
}

int messages_with(const DaemonScene& scene, const std::string& text) {
  return static_cast<int>(std::count_if(
      scene.events.begin(), scene.events.end(),
      [&](const Event& event) { return event.message.find(text) != std::string::npos; }));
}

// A second certificate that needs no web server.
void add_other(DaemonScene& scene) {
  scene.shop.add_certificate("other", "other.test");
  scene.shop.config.certificates.back().deploy = {};
  scene.shop.config.certificates.back().endpoints = std::vector<Endpoint>{};
}

RenewOptions force(const std::string& name) {
  RenewOptions options;
  options.names = {name};
  options.force = true;
  return options;
}

void restart(DaemonScene& scene) {
  scene.daemon->stop(1s, [] {});
  scene.run_for(1min);
  scene.kill();
}

}  // namespace

TEST_CASE("an endpoint that becomes unreachable is told of every day") {
  DaemonScene scene(101);
  REQUIRE(scene.start());
  scene.run_for(24h);
  const auto from = scene.events.size();
  scene.shop.nginx.unreachable = true;
  scene.run_for(20 * 24h);
  CHECK(scene.count("NOT_SERVED") >= 15);
  CHECK(troubles(scene, from) <= 25);
}

TEST_CASE("without a hook, a service that goes on serving the old certificate is told of") {
  DaemonScene scene(102);
  REQUIRE(scene.start());
  scene.run_for(24h);
  restart(scene);
  scene.shop.config.certificates[0].deploy.clear();
  REQUIRE(scene.start());
  scene.run_for(62 * 24h);
  REQUIRE(scene.issued() == 2);
  const auto from = scene.events.size();
  scene.run_for(15 * 24h);
  CHECK(troubles(scene, from) >= 10);
}

TEST_CASE("a certificate whose folder cannot be read is told of, and not asked for anew") {
  DaemonScene scene(103);
  REQUIRE(scene.start());
  scene.run_for(24h);
  const auto from = scene.events.size();
  scene.shop.world.files.set_unreadable(std::string(Shop::state) + "/certificates/shop", true);
  scene.run_for(100 * 24h);
  CHECK(troubles(scene, from) >= 90);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a corrected configuration ends the back-off") {
  FakeCaSettings settings;
  settings.rejected_identifiers = {"shpo.test"};
  DaemonScene scene(104, settings);
  const auto good = scene.shop.config.certificates[0].domains;
  scene.shop.config.certificates[0].domains = {{"dns", "shpo.test"}};
  REQUIRE(scene.start());
  scene.run_for(1h);
  REQUIRE(scene.issued() == 0);
  restart(scene);
  scene.shop.config.certificates[0].domains = good;
  REQUIRE(scene.start());
  scene.run_for(10min);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a target that hangs holds up no certificate of another") {
  DaemonScene scene(105);
  scene.shop.config.daemon.orders_parallel = 4;
  for (int i = 0; i < 20; ++i) {
    scene.shop.add_certificate("more" + std::to_string(i), "more" + std::to_string(i) + ".test");
  }
  add_other(scene);
  scene.shop.config.targets["nginx"].timeout = 1h;
  scene.shop.nginx.hangs = true;
  REQUIRE(scene.start());
  scene.run_for(10min);
  bool done = false;
  scene.daemon->renew(force("other"), [&](const std::vector<CertificateOutcome>&) { done = true; });
  CHECK(scene.shop.world.clock.run_until([&] { return done; }, 2min));
}

TEST_CASE("requests for one certificate that hangs leave the places to the others") {
  DaemonScene scene(106);
  scene.shop.config.daemon.orders_parallel = 4;
  add_other(scene);
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.shop.nginx.hangs = true;
  scene.shop.config.targets["nginx"].timeout = 24h;
  for (int i = 0; i < 8; ++i) {
    scene.daemon->renew(force("shop"), [](const std::vector<CertificateOutcome>&) {});
  }
  scene.run_for(1min);
  bool done = false;
  scene.daemon->renew(force("other"), [&](const std::vector<CertificateOutcome>&) { done = true; });
  CHECK(scene.shop.world.clock.run_until([&] { return done; }, 2min));
}

TEST_CASE("a CA that begins to offer renewal information is heard within a day or two") {
  FakeCaSettings settings;
  settings.renewal_info = false;
  DaemonScene scene(107, settings);
  REQUIRE(scene.start());
  scene.run_for(2 * 24h);
  scene.shop.ca.settings.renewal_info = true;
  const Time now = scene.shop.world.clock.now();
  scene.shop.ca.settings.renewal_window = CaWindow{now - 48h, now - 24h};  // revoked: at once
  scene.run_for(2 * 24h);
  CHECK(scene.issued() >= 2);
}

TEST_CASE("an endpoint that cannot be reached from here is not asked every minute") {
  for (const bool partly : {false, true}) {
    CAPTURE(partly);
    DaemonScene scene(108);
    const Endpoint lost{"198.51.100.9:443#shop.test", "198.51.100.9", 443, "shop.test"};
    if (partly) {
      scene.shop.config.certificates[0].endpoints->push_back(lost);
    } else {
      scene.shop.config.certificates[0].endpoints = {{lost}};
    }
    scene.shop.config.daemon.check_interval = 1h;
    REQUIRE(scene.start());
    scene.run_for(24h);
    std::string last;
    int looks = 0;
    for (int minute = 0; minute < 24 * 60; ++minute) {
      const std::string now = scene.daemon->summary();
      looks += now != last;
      last = now;
      scene.run_for(1min);
    }
    CHECK(looks < 80);
    CHECK(scene.count("HOOK_STARTED") <= 4);
  }
}

TEST_CASE("an endpoint that comes back is verified, and the looks are as rare as before") {
  DaemonScene scene(109);
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.start());
  scene.run_for(12h);
  scene.shop.nginx.unreachable = false;
  scene.run_for(2 * 24h);
  CHECK(scene.shop.status().deployments.at("nginx").stage == DeploymentStage::verified);
  CHECK(scene.shop.status().ok());
  CHECK(scene.shop.fingerprint_of_live() == scene.shop.fingerprint_served());
}

TEST_CASE("one target that fails does not have the healthy one reloaded") {
  DaemonScene scene(110);
  DeployTarget edge;
  edge.name = "edge";
  edge.hook = "/hooks/missing";
  scene.shop.config.targets["edge"] = edge;
  scene.shop.config.certificates[0].deploy = {"nginx", "edge"};
  REQUIRE(scene.start());
  scene.run_for(10 * 24h);
  CHECK(messages_with(scene, "to nginx: reload") == 1);
  CHECK(messages_with(scene, "to edge: install") > 100);
}

TEST_CASE("a certificate that is stuck ends the heartbeat, and is named") {
  DaemonScene scene(111);
  scene.shop.nginx.hangs = true;
  scene.shop.config.targets["nginx"].timeout = 365 * 24h;
  REQUIRE(scene.start());
  scene.run_for(2 * 24h);
  CHECK(scene.count("STUCK") > 10);
  const std::string beat = scene.shop.world.files.text(std::string(Shop::state) + "/heartbeat");
  CHECK(*acme::parse_rfc3339(beat.substr(0, 20)) < scene.shop.world.clock.now() - 24h);
}

TEST_CASE("clocks that step do not pile up work for what is under way") {
  DaemonScene scene(112);
  add_other(scene);
  scene.shop.nginx.hangs = true;
  scene.shop.config.targets["nginx"].timeout = 24h;
  REQUIRE(scene.start());
  scene.run_for(6min);
  for (int i = 0; i < 6; ++i) {
    scene.shop.world.clock.step_wall_clock(i % 2 ? -2h : 2h);
    scene.run_for(6min);
  }
  CHECK(scene.daemon->summary().find("working on 1,") != std::string::npos);
}

TEST_CASE("a certificate that is missing comes soon after the CA is back") {
  DaemonScene scene(113);
  const Time now = scene.shop.world.clock.now();
  scene.shop.ca.settings.outages.push_back({now, now + 3 * 24h});
  REQUIRE(scene.start());
  scene.run_for(3 * 24h + 80min);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a folder that takes no write does not cost an order a minute") {
  FakeCaSettings settings;
  settings.reuse_orders = false;
  DaemonScene scene(114, settings);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.files.set_read_only(std::string(Shop::state) + "/certificates/shop", true);
  const auto before = scene.shop.ca.counters().orders_created;
  scene.run_for(70 * 24h);
  CHECK(scene.shop.ca.counters().orders_created - before < 60);
}

TEST_CASE("a CA that wants each new certificate replaced at once gets one a day") {
  DaemonScene scene(115);
  REQUIRE(scene.start());
  const Time now = scene.shop.world.clock.now();
  scene.shop.ca.settings.renewal_window = CaWindow{now - 48h, now - 24h};
  scene.run_for(5 * 24h);
  CHECK(scene.issued() >= 2);
  CHECK(scene.issued() <= 6);
}

TEST_CASE("such a CA gets one a day from a machine whose clock is two days behind, too") {
  DaemonScene scene(118);
  scene.shop.world.clock.step_wall_clock(-48h);
  REQUIRE(scene.start());
  scene.run_for(1h);
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.renewal_window = CaWindow{now - 48h, now - 24h};
  scene.run_for(5 * 24h);
  CHECK(scene.issued() <= 6);
}

TEST_CASE("a changed configuration ends the back-off once, not for ever") {
  FakeCaSettings settings;
  settings.renewal_info = false;
  DaemonScene scene(116, settings);
  REQUIRE(scene.start());
  scene.run_for(1h);
  restart(scene);
  DeployTarget edge;
  edge.name = "edge";
  edge.hook = "/hooks/missing";
  scene.shop.config.targets["edge"] = edge;
  scene.shop.config.certificates[0].deploy = {"nginx", "edge"};
  REQUIRE(scene.start());
  scene.run_for(3h);
  CHECK(messages_with(scene, "to edge: install") >= 5);
  CHECK(messages_with(scene, "to edge: install") <= 12);
}

TEST_CASE("what a changed configuration began anew is on the disk") {
  DaemonScene scene(117);
  REQUIRE(scene.start());
  scene.run_for(30h);
  restart(scene);
  scene.shop.config.certificates[0].renew_before = 40 * 24h;
  scene.shop.config.resolver = "192.0.2.53:53";
  REQUIRE(scene.start());
  scene.run_for(1min);
  const std::string text =
      scene.shop.world.files.text(std::string(Shop::state) + "/certificates/shop/schedule.json");
  CHECK(text.find(digest_of(scene.shop.config.certificates[0], scene.shop.config)) !=
        std::string::npos);
}

TEST_CASE("a renew_before that is ignored is told of once for each certificate that is issued") {
  DaemonScene scene(114);
  scene.shop.config.certificates[0].renew_before = 80 * 24h;
  REQUIRE(scene.start());
  scene.run_for(30 * 24h);
  CHECK(scene.count("RENEW_BEFORE_IGNORED") == 1);
  CHECK(scene.shop.status().renew_reason.find("renew_before of 80d is ignored") !=
        std::string::npos);
  scene.run_for(40 * 24h);
  REQUIRE(scene.issued() == 2);
  CHECK(scene.count("RENEW_BEFORE_IGNORED") == 2);
}
