// What a CA issued is used where an anchor of issuer_roots stands behind it, whatever it is called;
// without these, where the system's anchors or those of the CA's API do, or never did.
#include <doctest/doctest.h>
#include <openssl/x509.h>

#include <algorithm>

#include "tests/simulation/shop.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

constexpr const char* roots = "/etc/nolapse/roots.pem";

struct Scene : Shop {
  Scene() : Shop(1, with_another_root()) { anchors = world.files.text(roots); }
  static FakeCaSettings with_another_root() {
    FakeCaSettings settings;
    settings.alternate_chains = 1;
    return settings;
  }

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

// ---- without issuer_roots

namespace {

struct UnnamedScene : Scene {
  UnnamedScene() { config.cas[0].issuer_roots_file.clear(); }

  std::string first_root() const { return pem_of(ca.trust_anchors().front()); }
  // From now on chains lead to the other one.
  void issue_below_another_root() { config.cas[0].preferred_chain = "Test CA Alternate Root 1"; }
  // Of a host that holds all its anchors in one file.
  void system_trusts(const std::string& pem) { world.files.put(X509_get_default_cert_file(), pem); }
  void api_is_verified_by(const std::string& pem) {
    config.cas[0].roots_file = "/etc/nolapse/api.pem";
    world.files.put("/etc/nolapse/api.pem", pem);
  }
  std::string unrelated() const {
    const Time now = world.clock.now();
    return pem_of(TestIssuer::root("Another", now - 24h, now + 24h * 999).certificate());
  }
  bool refused() {
    const std::string before = live();
    const CertificateOutcome outcome = forced();
    return outcome.error && live() == before &&
           outcome.error->message.find("no anchor that this host knows stands behind") !=
               std::string::npos;
  }
  long doubts() const {
    return std::count_if(trace.begin(), trace.end(), [](const std::string& event) {
      return event.find("ISSUER_UNKNOWN") != std::string::npos;
    });
  }
};

}  // namespace

TEST_CASE("what a CA issues without issuer_roots leads to an anchor of the system's") {
  UnnamedScene scene;
  scene.system_trusts(scene.unrelated() + scene.first_root());
  REQUIRE(scene.forced().generation);
  scene.issue_below_another_root();
  CHECK(scene.refused());
  CHECK(scene.doubts() == 0);
}

TEST_CASE("a private CA may issue below the root of its API, and then below no other") {
  UnnamedScene scene;
  scene.api_is_verified_by(scene.first_root());
  REQUIRE(scene.renewed().generation);
  scene.issue_below_another_root();
  CHECK(scene.refused());
  CHECK(scene.doubts() == 0);
}

TEST_CASE("a private CA whose root nobody named goes on, and that is told each time") {
  UnnamedScene scene;
  scene.api_is_verified_by(scene.unrelated());
  REQUIRE(scene.renewed().generation);
  CHECK(scene.doubts() == 1);
  REQUIRE(scene.forced().generation);
  CHECK(scene.doubts() == 2);
}

TEST_CASE("a new CA with a well-known API and a root that nobody knows is used, and told of") {
  UnnamedScene scene;
  scene.system_trusts(scene.unrelated());
  REQUIRE(scene.renewed().generation);
  CHECK(scene.doubts() == 1);
}

TEST_CASE("a CA whose certificates never led to an anchor goes on where its API is well known") {
  UnnamedScene scene;
  scene.config.cas[0].issuer_roots_file = roots;
  REQUIRE(scene.renewed().generation);
  scene.config.cas[0].issuer_roots_file.clear();
  REQUIRE(scene.forced().generation);
  CHECK(scene.doubts() == 1);
}
