// Deployments that go wrong after they seemed to go well: rolled back, verified again, tried again
// later; windows; what a person takes back; several certificates and several hosts.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"
#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;
using Stage = DeploymentStage;

namespace {

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

RenewOptions work(RenewOptions::Work what) {
  RenewOptions options;
  options.work = what;
  options.names = {"shop"};
  return options;
}

// nginx takes whatever it is given, and then no handshake succeeds but with what it serves now.
void break_on_anything_new(Shop& shop) {
  shop.nginx.chokes_on = [good = shop.fingerprint_served()](const acme::Certificate& leaf) {
    return leaf.fingerprint_sha256 != good;
  };
}

// The hook does what that verb asks for, and then says that it failed.
void fail_after(Shop& shop, const std::string& verb) {
  FakeProgram program = deploy_hook(shop.nginx, shop.world.files);
  program.main = [&shop, verb, works = program.main](const ProcessSpec& spec) {
    ProcessResult result = works(spec);
    if (spec.argv.size() > 1 && spec.argv[1] == verb) {
      if (verb == "install") shop.nginx.reload();
      result.code = 1;
    }
    return result;
  };
  shop.world.processes.add("/hooks/nginx", program);
}

int count(const Shop& shop, const std::string& word) {
  return static_cast<int>(std::count_if(
      shop.trace.begin(), shop.trace.end(),
      [&](const std::string& line) { return line.find(" " + word + " ") != std::string::npos; }));
}

long started(const Shop& shop, const std::string& command) {
  const auto& all = shop.world.processes.started();
  return std::count(all.begin(), all.end(), command);
}

}  // namespace

TEST_CASE("a certificate that breaks the service is taken back at once, and the old one is seen") {
  Shop shop(1);
  CHECK(shop.renewed().action == Action::renewed);
  const std::string first = shop.fingerprint_served();
  break_on_anything_new(shop);
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.action == Action::failed);
  CHECK(outcome.error->code == "MADE_WORSE");
  CHECK(shop.fingerprint_served() == first);
  CHECK(shop.nginx.shown_chain() != nullptr);
  const DeploymentRecord& record = outcome.deployments.at("nginx");
  CHECK(record.stage == Stage::rolled_back);
  CHECK(record.generation == 1);
  CHECK(count(shop, "ROLLED_BACK") == 1);
  CHECK(count(shop, "ROLLBACK_VERIFIED") == 1);
  CHECK(shop.fingerprint_of_live() == first);
  CHECK(outcome.endpoints.front().fingerprint_sha256 == first);
  CHECK(shop.violation().empty());
}

TEST_CASE("a hook that says it failed is taken back, too, where it made the service worse") {
  struct Row {
    const char* verb;  // that does its work and fails all the same
    const char* error;
  };
  const Row rows[] = {{"reload", "HOOK_FAILED"}, {"install", "HOOK_FAILED"}};
  for (const Row& row : rows) {
    CAPTURE(row.verb);
    Shop shop(31);
    REQUIRE(shop.renewed().action == Action::renewed);
    const std::string first = shop.fingerprint_served();
    break_on_anything_new(shop);
    fail_after(shop, row.verb);
    const CertificateOutcome outcome = shop.renewed(forced());
    CHECK(outcome.error->code == row.error);
    CHECK(count(shop, "MADE_WORSE") == 1);
    CHECK(count(shop, "ROLLED_BACK") == 1);
    CHECK(count(shop, "ROLLBACK_VERIFIED") == 1);
    CHECK(shop.fingerprint_served() == first);
    CHECK(shop.nginx.shown_chain() != nullptr);
    const DeploymentRecord& record = outcome.deployments.at("nginx");
    CHECK(record.stage == Stage::rolled_back);
    CHECK(record.generation == 1);
    CHECK(record.failures == 1);
    CHECK(shop.violation().empty());
  }
}

TEST_CASE("a run that dies after such a failure leaves the way back to the next one") {
  for (int steps = 0; steps < 400; steps += 5) {
    Shop shop(32);
    REQUIRE(shop.renewed().action == Action::renewed);
    const std::string first = shop.fingerprint_served();
    break_on_anything_new(shop);
    fail_after(shop, "reload");
    RenewOptions no_deploy = forced();
    no_deploy.deploy = false;
    REQUIRE(shop.renewed(no_deploy).action == Action::renewed);
    CAPTURE(steps);
    const auto ended = shop.renew_and_die_after_steps(steps, Shop::Death::kill);
    if (!ended) shop.renew();
    CHECK(shop.fingerprint_served() == first);
    CHECK(shop.nginx.shown_chain() != nullptr);
    if (ended) break;
  }
}

TEST_CASE("a hook that fails beside a service that was bad before is no reason to go back") {
  Shop shop(33);
  REQUIRE(shop.renewed().action == Action::renewed);
  shop.nginx.chokes_on = [](const acme::Certificate&) { return true; };
  fail_after(shop, "reload");
  CHECK(shop.renewed(forced()).error->code == "HOOK_FAILED");
  CHECK(shop.renewed(forced()).error->code == "HOOK_FAILED");
  CHECK(count(shop, "MADE_WORSE") == 0);
}

TEST_CASE("what was rolled back is tried again later, and goes out when the cause is gone") {
  DaemonScene scene(2);
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  break_on_anything_new(scene.shop);
  REQUIRE(scene.run_until_event("ROLLBACK_VERIFIED", 24h * 90));
  const int issued = scene.issued();
  const std::string first = scene.shop.fingerprint_served();
  scene.run_for(40min);
  CHECK(scene.count("ROLLED_BACK") == 1);
  scene.run_for(3h);
  CHECK(scene.count("ROLLED_BACK") >= 2);
  CHECK(scene.shop.fingerprint_served() == first);
  scene.shop.nginx.chokes_on = nullptr;
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 24h));
  CHECK(scene.shop.fingerprint_served() != first);
  CHECK(scene.issued() == issued);
}

TEST_CASE("nothing is gone back to where nothing of ours was there, or what was is over") {
  Shop shop(3);
  shop.nginx.chokes_on = [](const acme::Certificate&) { return true; };
  CHECK(shop.renewed().error->code == "NOT_SERVED");
  shop.nginx.chokes_on = nullptr;
  CHECK(shop.renewed().action == Action::deployed);
  // The first expires; what is served then cannot get worse than expired but by no handshake.
  shop.world.clock.run_for(24h * 91);
  break_on_anything_new(shop);
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.error->code == "MADE_WORSE");
  CHECK(count(shop, "CANNOT_ROLL_BACK") == 1);
  CHECK(count(shop, "ROLLED_BACK") == 0);
}

TEST_CASE("a service that cannot be reached after a reload is not rolled back") {
  Shop shop(4);
  CHECK(shop.renewed().action == Action::renewed);
  shop.nginx.unreachable = true;
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.error->code == "ENDPOINT_UNREACHABLE");
  CHECK(outcome.deployments.at("nginx").stage == Stage::reloaded);
  CHECK(outcome.deployments.at("nginx").failures == 0);
  CHECK(count(shop, "ROLLED_BACK") == 0);
  shop.nginx.unreachable = false;
  CHECK(shop.renewed().action != Action::failed);
  CHECK(shop.status().deployments.at("nginx").stage == Stage::verified);
  CHECK(started(shop, "/hooks/nginx install") == 2);
}

TEST_CASE("one server that is down makes no other one be reloaded, and is no target's failure") {
  DaemonScene scene(34);
  Shop& shop = scene.shop;
  shop.config.certificates[0].endpoints->push_back({"shop.test:1", "shop.test", 1, "shop.test"});
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 1h));
  scene.run_for(48h);
  const DeploymentRecord record = shop.status().deployments.at("nginx");
  CHECK(record.stage == Stage::reloaded);
  CHECK(record.failures == 0);
  CHECK_FALSE(record.next_attempt);
  CHECK(started(shop, "/hooks/nginx reload") == 1);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
}

TEST_CASE("where one is down and another serves the old one, it is that one that is told of") {
  Shop shop(35);
  shop.config.certificates[0].endpoints = {{{"shop.test:1", "shop.test", 1, "shop.test"},
                                            {"shop.test:443", "shop.test", 443, "shop.test"}}};
  shop.renew();
  shop.nginx.ignores_reload = true;
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.error->code == "NOT_SERVED");
  CHECK(outcome.error->message.starts_with("shop.test:443"));
  CHECK(outcome.deployments.at("nginx").failures == 1);
}

TEST_CASE("a crash at any moment of a roll-back ends with a service that works") {
  for (int steps = 0; steps < 400; steps += 7) {
    Shop shop(5);
    REQUIRE(shop.renewed().action == Action::renewed);
    break_on_anything_new(shop);
    RenewOptions no_deploy = forced();
    no_deploy.deploy = false;
    REQUIRE(shop.renewed(no_deploy).action == Action::renewed);
    CAPTURE(steps);
    const auto ended = shop.renew_and_die_after_steps(steps, Shop::Death::kill);
    CHECK(shop.violation().empty());
    if (!ended) shop.renew();
    CHECK(shop.nginx.shown_chain() != nullptr);
    shop.nginx.chokes_on = nullptr;
    CHECK(shop.renewed().generation->number == 2);
    CHECK(shop.status().serving == Serving::ok);
    if (ended) break;
  }
}

TEST_CASE("rollback: the one before is served, the daemon lets it be, the next renewal goes out") {
  DaemonScene scene(6);
  Shop& shop = scene.shop;
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  const std::string first = shop.fingerprint_served();
  scene.kill();
  REQUIRE(shop.renewed(forced()).action == Action::renewed);
  const std::string second = shop.fingerprint_served();
  const CertificateOutcome outcome = shop.renewed(work(RenewOptions::Work::roll_back));
  CHECK(outcome.action == Action::deployed);
  CHECK(outcome.generation->number == 1);
  CHECK(shop.fingerprint_served() == first);
  CHECK(shop.fingerprint_of_live() == first);
  CHECK(shop.status().serving == Serving::ok);
  REQUIRE(scene.start());
  scene.run_for(24h * 5);
  CHECK(shop.fingerprint_served() == first);
  CHECK(scene.count("NOT_SERVED") == 0);
  CHECK(scene.count("SERVED_DIFFERS") == 0);
  SUBCASE("the next renewal") {
    scene.run_for(24h * 80);
    CHECK(shop.fingerprint_served() != first);
    CHECK(shop.fingerprint_served() != second);
  }
  SUBCASE("deploy brings the newest after all") {
    scene.kill();
    CHECK(shop.renewed(work(RenewOptions::Work::deploy)).action == Action::deployed);
    CHECK(shop.fingerprint_served() == second);
    CHECK(shop.status().deployments.at("nginx").withdrawn == 0);
  }
  SUBCASE("what somebody else installs meanwhile is repaired to what was gone back to") {
    shop.nginx.install({"garbage", "garbage"});
    shop.nginx.serves_anything = true;
    shop.nginx.reload();
    scene.run_for(24h * 2);
    CHECK(shop.fingerprint_served() == first);
  }
}

TEST_CASE("rollback and deploy say what they cannot do") {
  Shop shop(7);
  CHECK(shop.renewed(work(RenewOptions::Work::roll_back)).error->code == "NO_CERTIFICATE");
  REQUIRE(shop.renewed().action == Action::renewed);
  CHECK(shop.renewed(work(RenewOptions::Work::roll_back)).error->code == "NO_FORMER_GENERATION");
  RenewOptions ninth = work(RenewOptions::Work::deploy);
  ninth.generation = 9;
  CHECK(shop.renewed(ninth).action == Action::failed);
  shop.world.clock.run_for(24h * 100);
  CHECK(shop.renewed(work(RenewOptions::Work::deploy)).error->code == "UNFIT_GENERATION");
  CHECK(shop.fingerprint_served() == shop.fingerprint_of_live());
}

TEST_CASE("a window is waited for, and then it goes out") {
  DaemonScene scene(8);
  Shop& shop = scene.shop;
  scene.shop.config.daemon.check_interval = 1h;
  shop.config.targets.at("nginx").window = DailyWindow{2h, 5h};
  REQUIRE(scene.start());
  // The first one cannot wait: there is nothing.
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  const std::string first = shop.fingerprint_served();
  REQUIRE(scene.run_until_event("CERTIFICATE_ISSUED", 24h * 90));
  const auto hour = [&] {
    return std::chrono::duration_cast<std::chrono::hours>(
               shop.world.clock.now().time_since_epoch() % Duration(24h))
        .count();
  };
  if (hour() < 2 || hour() >= 5) {
    scene.run_for(10min);
    CHECK(shop.fingerprint_served() == first);
    CHECK(shop.status().serving == Serving::ok);
    CHECK(scene.count("NOT_SERVED") == 0);
  }
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 25h));
  CHECK(hour() >= 2);
  CHECK(hour() < 5);
  CHECK(shop.fingerprint_served() != first);
}

TEST_CASE("renew says that it waits for the window, deploy and --force do not wait") {
  Shop shop(9);
  REQUIRE(shop.renewed().action == Action::renewed);
  const Duration today = shop.world.clock.now().time_since_epoch() % Duration(24h);
  // Begins in three hours.
  const Duration from = (today + 3h) % Duration(24h);
  shop.config.targets.at("nginx").window = DailyWindow{from, (from + 1h) % Duration(24h)};
  RenewOptions no_deploy = forced();
  no_deploy.deploy = false;
  REQUIRE(shop.renewed(no_deploy).action == Action::renewed);
  SUBCASE("deploy") {
    CHECK(shop.renewed(work(RenewOptions::Work::deploy)).action == Action::deployed);
  }
  SUBCASE("force") {
    CHECK(shop.renewed(forced()).action == Action::renewed);
  }
  CHECK(shop.status().deployments.at("nginx").stage == Stage::verified);
  CHECK(shop.status().serving == Serving::ok);
}

TEST_CASE("certificates that are due together share a reload") {
  Shop shop(10);
  for (int i = 0; i < 5; ++i) {
    const std::string name = "more" + std::to_string(i);
    shop.add_certificate(name, name + ".test");
  }
  shop.renew();
  CHECK(started(shop, "/hooks/nginx install") == 6);
  CHECK(started(shop, "/hooks/nginx reload") < 6);
}

TEST_CASE("a target that hangs holds up no other target") {
  Shop shop(11);
  FakeService& other = shop.world.add_service("other", "/hooks/other", "192.0.2.10", 8443);
  DeployTarget target;
  target.name = target.section = "other";
  target.hook = "/hooks/other";
  shop.config.targets["other"] = target;
  CertificateSpec& spec = shop.config.certificates.front();
  spec.deploy = {"other", "nginx"};
  other.hangs = true;
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.error->code == "HOOK_TIMED_OUT");
  CHECK(outcome.deployments.at("nginx").stage == Stage::verified);
  CHECK(outcome.deployments.at("other").stage == Stage::failed);
  CHECK(outcome.took < 80s);
  other.hangs = false;
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(other.served().back() == shop.fingerprint_served());
  CHECK(started(shop, "/hooks/nginx install") == 1);
}

TEST_CASE("another client's hook runs once, after live/ has moved, and is never asked a question") {
  Shop shop(12);
  DeployTarget target;
  target.name = target.section = "old";
  target.hook = "/hooks/old";
  target.kind = HookKind::certbot;
  shop.config.targets["old"] = target;
  shop.config.certificates.front().deploy = {"old", "nginx"};
  std::vector<std::string> lives;
  FakeProgram program;
  program.main = [&](const ProcessSpec& spec) {
    CHECK(spec.argv.size() == 1);
    lives.push_back(shop.fingerprint_of_live());
    return ProcessResult{};
  };
  shop.world.processes.add("/hooks/old", program);
  CHECK(shop.renewed().action == Action::renewed);
  REQUIRE(lives.size() == 1);
  CHECK(lives.front() == shop.fingerprint_served());
  CHECK(shop.renewed().action == Action::not_due);
  CHECK(lives.size() == 1);
  CHECK(shop.renewed(forced()).action == Action::renewed);
  CHECK(lives.size() == 2);
  CHECK(lives.back() == shop.fingerprint_served());
}

TEST_CASE("another client's hook that broke the service is run again with live/ as it was before") {
  Shop shop(13);
  shop.config.targets.at("nginx").kind = HookKind::certbot;
  std::vector<std::string> lives;
  FakeProgram program;
  program.main = [&](const ProcessSpec&) {
    lives.push_back(shop.fingerprint_of_live());
    const std::string live = std::string(Shop::state) + "/live/shop/";
    shop.nginx.install({*shop.world.files.read(live + "fullchain.pem"),
                        *shop.world.files.read(live + "privkey.pem")});
    shop.nginx.reload();
    return ProcessResult{};
  };
  shop.world.processes.add("/hooks/nginx", program);
  CHECK(shop.renewed().action == Action::renewed);
  const std::string first = shop.fingerprint_served();
  break_on_anything_new(shop);
  CHECK(shop.renewed(forced()).error->code == "MADE_WORSE");
  REQUIRE(lives.size() == 3);
  CHECK(lives[1] != first);
  CHECK(lives[2] == first);
  CHECK(shop.fingerprint_served() == first);
  CHECK(shop.fingerprint_of_live() == first);
  CHECK(shop.nginx.shown_chain() != nullptr);
  CHECK(count(shop, "ROLLBACK_VERIFIED") == 1);
}
