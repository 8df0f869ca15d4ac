// Targets that have, or are meant to have, different generations: one that waits, one from which a
// person took the newest back, one that fails. What the other one has and serves is its own affair.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"
#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;
using Stage = DeploymentStage;
using Work = RenewOptions::Work;

namespace {

// Beside nginx, on another port of the same name, and both are looked at.
FakeService& add_second(Shop& shop) {
  FakeService& second = shop.world.add_service("second", "/hooks/second", "192.0.2.10", 8443);
  DeployTarget target;
  target.name = target.section = "second";
  target.hook = "/hooks/second";
  shop.config.targets["second"] = target;
  CertificateSpec& spec = shop.config.certificates.front();
  spec.deploy = {"nginx", "second"};
  spec.endpoints->push_back({"shop.test:8443", "shop.test", 8443, "shop.test"});
  return second;
}

RenewOptions work(Work what, const std::string& target = {}, unsigned generation = 0) {
  RenewOptions options;
  options.work = what;
  options.names = {"shop"};
  options.target = target;
  if (generation != 0) options.generation = generation;
  return options;
}

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

long started(const Shop& shop, const std::string& command) {
  const auto& all = shop.world.processes.started();
  return std::count(all.begin(), all.end(), command);
}

std::string served_by(const FakeService& service) {
  return service.served().back();
}

}  // namespace

TEST_CASE("a target that waits for its window makes the other one neither wrong nor reloaded") {
  DaemonScene scene(1);
  Shop& shop = scene.shop;
  FakeService& second = add_second(shop);
  shop.config.daemon.check_interval = 1h;
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  const std::string first = served_by(second);
  scene.kill();
  // Begins in twelve hours.
  const Duration today = shop.world.clock.now().time_since_epoch() % Duration(24h);
  const Duration from = (today + 12h) % Duration(24h);
  shop.config.targets.at("second").window = DailyWindow{from, (from + 1h) % Duration(24h)};
  shop.config.certificates.front().key_type = acme::KeyType::rsa_2048;
  const long before = started(shop, "/hooks/nginx reload");
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("CERTIFICATE_ISSUED", 2h));
  scene.run_for(6h);
  CHECK(shop.fingerprint_served() != first);
  CHECK(served_by(second) == first);
  CHECK(started(shop, "/hooks/nginx reload") == before + 1);
  CHECK(scene.count("NOT_SERVED") == 0);
  CHECK(scene.count("SERVED_DIFFERS") == 0);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
  CHECK(shop.status().deployments.at("nginx").stage == Stage::verified);
  CHECK(shop.status().serving == Serving::ok);
  scene.run_for(12h);
  CHECK(served_by(second) == shop.fingerprint_served());
  CHECK(shop.status().deployments.at("second").stage == Stage::verified);
}

TEST_CASE("an older generation at one target is as good as the newest at the other") {
  DaemonScene scene(2);
  Shop& shop = scene.shop;
  FakeService& second = add_second(shop);
  shop.renew();
  shop.renew(forced());
  const std::string newest = served_by(second);
  const CertificateOutcome outcome = shop.renewed(work(Work::deploy, "second", 1));
  CHECK(outcome.action == Action::deployed);
  CHECK_FALSE(outcome.error);
  CHECK(served_by(second) != newest);
  CHECK(shop.fingerprint_served() == newest);
  CHECK(shop.status().serving == Serving::ok);
  REQUIRE(scene.start());
  scene.run_for(48h);
  CHECK(scene.count("NOT_SERVED") == 0);
  CHECK(served_by(second) != newest);
  CHECK(shop.fingerprint_served() == newest);
  // What is served by neither is repaired.
  shop.nginx.install({"garbage", "garbage"});
  shop.nginx.serves_anything = true;
  shop.nginx.reload();
  scene.run_for(24h * 2);
  CHECK(shop.fingerprint_served() == newest);
  CHECK(served_by(second) != newest);
}

TEST_CASE("a hook that does nothing is not taken for done because another target has that") {
  Shop shop(3);
  FakeService& second = add_second(shop);
  shop.renew();
  shop.renew(forced());
  second.ignores_reload = true;
  const CertificateOutcome outcome = shop.renewed(work(Work::deploy, "second", 1));
  CHECK(outcome.unverified);
  CHECK(outcome.deployments.at("second").stage == Stage::reloaded);
}

TEST_CASE("a target that fails is the only one that is said to fail, and the other one is let be") {
  DaemonScene scene(4);
  Shop& shop = scene.shop;
  FakeService& second = add_second(shop);
  shop.renew();
  const std::string first = served_by(second);
  second.broken_configuration = true;
  CHECK(shop.renewed(forced()).action == Action::failed);
  auto records = shop.status().deployments;
  CHECK(records.at("nginx").stage == Stage::verified);
  CHECK(records.at("nginx").failures == 0);
  CHECK(records.at("second").failures == 1);
  CHECK(shop.fingerprint_served() != first);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
  CHECK(shop.status().serving == Serving::wrong);
  const long reloads = started(shop, "/hooks/nginx reload");
  REQUIRE(scene.start());
  scene.run_for(48h);
  CHECK(started(shop, "/hooks/nginx reload") == reloads);
  records = shop.status().deployments;
  CHECK(records.at("nginx").failures == 0);
  CHECK(records.at("second").failures > 1);
  second.broken_configuration = false;
  scene.run_for(24h);
  CHECK(served_by(second) == shop.fingerprint_served());
  CHECK(shop.status().serving == Serving::ok);
}

TEST_CASE("a target that is broken and cannot go back keeps no other one from the newest") {
  DaemonScene scene(11);
  Shop& shop = scene.shop;
  FakeService& second = add_second(shop);
  shop.renew();
  const std::string first = shop.fingerprint_served();
  FakeProgram program = deploy_hook(second, shop.world.files);
  program.main = [&second](const ProcessSpec& spec) {
    second.chokes_on = [](const acme::Certificate&) { return true; };
    return ProcessResult{ProcessResult::Ending::exited, spec.argv[1] == "check" ? 0 : 1, "", ""};
  };
  shop.world.processes.add("/hooks/second", program);
  // Whose certificate it is that broke an endpoint nobody knows: both go back at first.
  CHECK(shop.renewed(forced()).action == Action::failed);
  CHECK(shop.fingerprint_served() == first);
  CHECK(shop.fingerprint_of_live() == first);
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(scene.count("ROLLED_BACK") == 0);
  // Whose endpoint it is nobody knows, so that it is tried, but the healthy one is not worn out.
  const long reloads = started(shop, "/hooks/nginx reload");
  CHECK(reloads > 3);
  CHECK(reloads < 40);
  const std::string newest = shop.fingerprint_served();
  CHECK(newest != first);
  CHECK(shop.fingerprint_of_live() == newest);
  // Its own reload fails from now on: what is under live/ was seen to work.
  FakeProgram busy = deploy_hook(shop.nginx, shop.world.files);
  busy.main = [works = busy.main](const ProcessSpec& spec) {
    if (spec.argv[1] != "reload") return works(spec);
    return ProcessResult{ProcessResult::Ending::exited, 75, "", "busy\n"};
  };
  shop.world.processes.add("/hooks/nginx", busy);
  scene.run_for(24h);
  CHECK(shop.fingerprint_served() == newest);
  CHECK(shop.fingerprint_of_live() == newest);
}

TEST_CASE("where the other one has nothing yet, what it serves is not this one's failure") {
  Shop shop(8);
  add_second(shop).broken_configuration = true;
  CHECK(shop.renewed().action == Action::failed);
  const auto records = shop.status().deployments;
  CHECK(records.at("nginx").failures == 0);
  CHECK_FALSE(records.at("nginx").last_error);
  CHECK(records.at("second").failures == 1);
}

TEST_CASE("an older one that did not come to its target goes to no other one") {
  Shop shop(9);
  FakeService& second = add_second(shop);
  shop.renew();
  shop.renew(forced());
  const std::string newest = served_by(second);
  second.broken_configuration = true;
  CHECK(shop.renewed(work(Work::deploy, "second", 1)).action == Action::failed);
  second.broken_configuration = false;
  shop.renew();
  CHECK(served_by(second) != newest);
  CHECK(shop.fingerprint_served() == newest);
}

TEST_CASE("a way back that one target did not take is gone on with until it does") {
  DaemonScene scene(5);
  Shop& shop = scene.shop;
  FakeService& second = add_second(shop);
  SUBCASE("and is seen") {}
  SUBCASE("where nobody looks") {
    shop.config.certificates.front().endpoints = std::vector<Endpoint>{};
  }
  shop.renew();
  const std::string first = served_by(second);
  shop.renew(forced());
  const std::string newest = served_by(second);
  second.broken_configuration = true;
  CHECK(shop.renewed(work(Work::roll_back)).action == Action::failed);
  CHECK(served_by(second) == newest);
  CHECK(served_by(shop.nginx) == first);
  // Nothing is due yet, and nothing is said to have been done.
  RenewOptions daemon;
  daemon.by_daemon = true;
  CHECK(shop.renewed(daemon).action != Action::deployed);
  second.broken_configuration = false;
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(served_by(second) == first);
  CHECK(served_by(shop.nginx) == first);
  CHECK(shop.status().deployments.at("second").withdrawn == 2);
  CHECK(shop.fingerprint_of_live() == first);
}

TEST_CASE("a mismatched pair is not gone back to") {
  Shop shop(6);
  shop.renew();
  const std::string first = shop.fingerprint_served();
  const std::string path = std::string(Shop::state) + "/certificates/shop/1/privkey.pem";
  shop.world.files.put(path, acme::PrivateKey::generate(acme::KeyType::ecdsa_p256)->to_pem());
  SUBCASE("by a person") {
    shop.renew(forced());
    const std::string newest = shop.fingerprint_served();
    const CertificateOutcome outcome = shop.renewed(work(Work::roll_back));
    CHECK(outcome.error->code == "BAD_GENERATION");
    CHECK(outcome.error->message.starts_with(path));
    CHECK(shop.fingerprint_served() == newest);
    CHECK(shop.fingerprint_of_live() == newest);
  }
  SUBCASE("by itself") {
    shop.nginx.chokes_on = [first](const acme::Certificate& leaf) {
      return leaf.fingerprint_sha256 != first;
    };
    CHECK(shop.renewed(forced()).error->code == "MADE_WORSE");
    CHECK(shop.status().deployments.at("nginx").stage == Stage::reloaded);
    CHECK(std::any_of(shop.trace.begin(), shop.trace.end(), [](const std::string& line) {
      return line.find(" CANNOT_ROLL_BACK ") != std::string::npos;
    }));
  }
}

TEST_CASE("a certificate without targets is not rolled back for a moment") {
  Shop shop(7);
  shop.config.certificates.front().deploy.clear();
  shop.renew();
  shop.renew(forced());
  const std::string live = shop.fingerprint_of_live();
  CHECK(shop.renewed(work(Work::roll_back)).error->code == "NO_TARGETS");
  CHECK(shop.renewed(work(Work::deploy, {}, 1)).error->code == "NO_TARGETS");
  CHECK(shop.fingerprint_of_live() == live);
}
