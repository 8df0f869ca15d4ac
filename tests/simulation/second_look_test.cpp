// One connection that is closed says nothing: what is bad is looked at twice before anything is
// deployed or told. What is really different is repaired all the same.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

long installed(const Shop& shop) {
  const auto& all = shop.world.processes.started();
  return std::count(all.begin(), all.end(), "/hooks/nginx install");
}

// Somebody else's, for the same name.
KeyPair another_pair() {
  Shop other(77);
  other.renewed();
  return *other.nginx.serving();
}

}  // namespace

TEST_CASE("one closed connection at a look is no reason to deploy, and nobody is told") {
  DaemonScene scene(1);
  Shop& shop = scene.shop;
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  struct Row {
    unsigned closes;
    long installed;
  };
  const Row rows[] = {{1, 1}, {1, 1}, {2, 2}};
  for (const Row& row : rows) {
    CAPTURE(row.closes);
    const std::size_t before = scene.events.size();
    shop.nginx.closes = row.closes;
    scene.run_for(36h);
    CHECK(shop.nginx.closes == 0);
    CHECK(installed(shop) == row.installed);
    const bool told =
        std::any_of(scene.events.begin() + static_cast<long>(before), scene.events.end(),
                    [](const Event& event) {
                      return event.code == "SERVED_DIFFERS" || event.code == "NOT_SERVED";
                    });
    CHECK(told == (row.closes == 2));
  }
  CHECK(shop.status().ok());
}

TEST_CASE("one closed connection costs a person some seconds, and no deployment") {
  Shop shop(2);
  REQUIRE(shop.renewed().action == Action::renewed);
  shop.nginx.closes = 1;
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.action == Action::not_due);
  CHECK(outcome.took < 5s);
  CHECK(installed(shop) == 1);
}

TEST_CASE("another certificate is noticed at the next look, and repaired within seconds") {
  DaemonScene scene(3);
  Shop& shop = scene.shop;
  shop.config.daemon.check_interval = 1h;
  REQUIRE(scene.start());
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 1h));
  const std::string ours = shop.fingerprint_served();
  shop.nginx.install(another_pair());
  shop.nginx.reload();
  REQUIRE(shop.fingerprint_served() != ours);
  REQUIRE(scene.run_until_event("DEPLOYMENT_VERIFIED", 75min + 15s));
  CHECK(shop.fingerprint_served() == ours);
  CHECK(scene.count("SERVED_DIFFERS") == 1);
}
