// Where no endpoints are configured: the local listeners that serve the certificate stay expected
// to, whatever becomes of them.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"
#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;
using Stage = DeploymentStage;

namespace {

constexpr const char* one_listens = "0: 0A0200C0:01BB 00000000:0000 0A\n";
constexpr const char* both_listen =
    "0: 0A0200C0:01BB 00000000:0000 0A\n1: 0A0200C0:20FB 00000000:0000 0A\n";

void look_for_listeners(Shop& shop, const char* table) {
  shop.config.certificates.front().endpoints.reset();
  shop.world.files.put("/proc/net/tcp", table);
}

FakeService& add_second(Shop& shop) {
  FakeService& second = shop.world.add_service("second", "/hooks/second", "192.0.2.10", 8443);
  DeployTarget target;
  target.name = target.section = "second";
  target.hook = "/hooks/second";
  shop.config.targets["second"] = target;
  shop.config.certificates.front().deploy = {"nginx", "second"};
  return second;
}

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

}  // namespace

TEST_CASE("a deployment after which nothing answers for the name is rolled back") {
  Shop shop(1);
  look_for_listeners(shop, one_listens);
  REQUIRE(shop.renewed().action == Action::renewed);
  const std::string first = shop.fingerprint_served();
  CHECK(shop.status().deployments.at("nginx").stage == Stage::verified);
  shop.nginx.chokes_on = [first](const acme::Certificate& leaf) {
    return leaf.fingerprint_sha256 != first;
  };
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.error->code == "MADE_WORSE");
  CHECK(outcome.deployments.at("nginx").stage == Stage::rolled_back);
  CHECK(shop.fingerprint_served() == first);
  CHECK(shop.fingerprint_of_live() == first);
}

TEST_CASE("what answered before a deployment is expected to answer after it, known or not") {
  Shop shop(4);
  look_for_listeners(shop, one_listens);
  shop.renew();
  const std::string first = shop.fingerprint_served();
  shop.world.files.erase(std::string(Shop::state) + "/certificates/shop/schedule.json");
  shop.nginx.chokes_on = [first](const acme::Certificate& leaf) {
    return leaf.fingerprint_sha256 != first;
  };
  CHECK(shop.renewed(forced()).error->code == "MADE_WORSE");
  CHECK(shop.fingerprint_served() == first);
}

TEST_CASE("one of two that is gone, or serves something else, is told of and repaired") {
  DaemonScene scene(2);
  Shop& shop = scene.shop;
  look_for_listeners(shop, both_listen);
  FakeService& second = add_second(shop);
  shop.config.daemon.check_interval = 1h;
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  scene.run_for(2h);
  CHECK(shop.status().serving == Serving::ok);
  SUBCASE("nobody listens there") {
    second.unreachable = true;
    shop.world.files.put("/proc/net/tcp", one_listens);
    scene.run_for(3h);
    CHECK(scene.count("NOT_SERVED") > 0);
    CHECK(shop.status().serving == Serving::unreachable);
    second.unreachable = false;
    shop.world.files.put("/proc/net/tcp", both_listen);
  }
  SUBCASE("something else is served there") {
    second.install({"garbage", "garbage"});
    second.serves_anything = true;
    second.reload();
    CHECK(shop.status().serving == Serving::wrong);
  }
  scene.run_for(3h);
  CHECK(shop.status().serving == Serving::ok);
  CHECK(second.served().back() == shop.fingerprint_served());
}

TEST_CASE("a place that was given up is forgotten when a person deploys") {
  Shop shop(3);
  look_for_listeners(shop, both_listen);
  FakeService& second = add_second(shop);
  shop.renew();
  CHECK(shop.status().serving == Serving::ok);
  second.unreachable = true;
  shop.world.files.put("/proc/net/tcp", one_listens);
  CHECK(shop.renewed().error->code == "NOT_SERVED");
  CHECK(shop.renewed().error->code == "NOT_SERVED");
  RenewOptions deploy;
  deploy.work = RenewOptions::Work::deploy;
  deploy.names = {"shop"};
  shop.renewed(deploy);
  CHECK(shop.status().serving == Serving::ok);
  CHECK(shop.renewed().action == Action::not_due);
}
