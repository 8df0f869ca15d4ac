// What is found on endpoints, and the command that ends it.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

// A certificate of ours, and a service that has another one for the same name.
struct Scene : CheckScene {
  Scene() {
    CertificateSpec& shop = add_certificate("shop", "shop.test");
    shop.deploy = {};
    renew();
    shop.endpoints = {{"shop.test:443", "shop.test", 443, "shop.test"}};
    now = world.clock.now();
    root.emplace(TestIssuer::root("root", now - 24h * 3650, now + 24h * 3650));
    world.tls_probe.trust(root->certificate());
    world.dns.name("shop.test").addresses = {"192.0.2.1"};
    world.tls_probe.listen("192.0.2.1", 443, "shop.test", service);
  }
  void serve_until(Time not_after) {
    const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
    LeafOptions leaf;
    leaf.identifiers = {{"dns", "shop.test"}};
    leaf.not_before = not_after - 24h * 90;
    leaf.not_after = not_after;
    service.install(
        {acme::to_pem(*acme::parse_certificate(root->issue(leaf, *key))), key->to_pem()});
    service.reload();
  }
  std::string fix_of(const char* code) { return the(check(served_checks(), false), code).fix; }

  FakeService service{"nginx"};
  std::optional<TestIssuer> root;
  Time now;
};

}  // namespace

TEST_CASE("for an expired one that is served no order is proposed where a good one lies on disk") {
  Scene scene;
  scene.serve_until(scene.now - 1h);
  CHECK(scene.fix_of("SERVED_EXPIRED").starts_with("nolapse deploy shop"));
  // The one on the disk ends, too.
  scene.world.clock.run_for(24h * 100);
  CHECK(scene.fix_of("SERVED_EXPIRED") == "nolapse renew --force shop");
}

TEST_CASE("another certificate than the one issued is to be deployed again") {
  Scene scene;
  scene.serve_until(scene.now + 24h * 80);
  CHECK(scene.fix_of("NOT_SERVED").starts_with("nolapse deploy shop"));
}

TEST_CASE("where nothing was issued yet, there is nothing to deploy") {
  Scene scene;
  scene.serve_until(scene.now + 24h * 80);
  scene.world.files.erase(scene.config.state_directory + "/certificates/shop");
  CHECK(scene.fix_of("NOT_SERVED") == "nolapse renew --force shop");
}

TEST_CASE("a newer one than there is here is not to be replaced by ours") {
  Scene scene;
  scene.config.cas.front().issuer_roots_file.clear();
  scene.world.clock.run_for(1h);
  scene.serve_until(scene.world.clock.now() + 24h * 90);
  CHECK(scene.fix_of("NOT_SERVED").starts_with("nolapse renew --force shop"));
}
