// What a CA issued is used where an anchor of issuer_roots stands behind it, whatever it is called.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

constexpr const char* roots = "/etc/nolapse/roots.pem";

struct Scene : Shop {
  Scene() : Shop(1) { anchors = world.files.text(roots); }

  void trust_another() {
    const Time now = world.clock.now();
    world.files.put(roots,
                    pem_of(TestIssuer::root("Another", now - 24h, now + 24h * 999).certificate()));
  }
  std::string live() { return world.files.text(std::string(state) + "/live/shop/cert.pem"); }
  CertificateOutcome forced() {
    RenewOptions options;
    options.force = true;
    return renewed(options);
  }

  std::string anchors;
};

}  // namespace

TEST_CASE("a certificate that no anchor stands behind changes nothing, and is told") {
  Scene scene;
  REQUIRE(scene.renewed().generation);
  const std::string before = scene.live();
  scene.trust_another();
  const CertificateOutcome outcome = scene.forced();
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "BAD_CERTIFICATE");
  CHECK(outcome.error->message.find("no anchor in issuer_roots stands behind") !=
        std::string::npos);
  CHECK(scene.live() == before);
  scene.world.files.put(roots, scene.anchors);
  CHECK(scene.forced().action == Action::renewed);
}

TEST_CASE("it counts as issued, because the CA counts it") {
  Scene scene;
  REQUIRE(scene.renewed().generation);
  scene.trust_another();
  for (int i = 0; i < 10; ++i) scene.forced();
  CHECK(scene.ca.counters().orders_created == 4);
}

TEST_CASE("anchors that cannot be read cost no order") {
  Scene scene;
  scene.world.files.erase(roots);
  const CertificateOutcome outcome = scene.renewed();
  REQUIRE(outcome.error);
  CHECK(outcome.error->message.find("issuer_roots /etc/nolapse/roots.pem") != std::string::npos);
  CHECK(scene.ca.counters().orders_created == 0);
}

TEST_CASE("a CA that gets another name in the configuration is still the issuer") {
  Scene scene;
  REQUIRE(scene.renewed().generation);
  scene.config.cas[0].name = "renamed";
  scene.config.certificates[0].cas = {"renamed"};
  CHECK(scene.renewed().action == Action::not_due);
  CHECK(scene.ca.counters().orders_created == 1);
  scene.world.clock.run_for(70 * 24h);
  const CertificateOutcome later = scene.renewed();
  CHECK(later.action == Action::renewed);
  CHECK(later.generation->ca == "renamed");
}
