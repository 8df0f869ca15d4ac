// A certificate by the operator's own signing request: nobody here has its key, and all that asks
// for one copes.
#include <doctest/doctest.h>

#include <algorithm>

#include "acme/signing_request.h"
#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

constexpr const char* csr_file = "/etc/nolapse/shop.csr";
constexpr const char* key_file = "/etc/nolapse/shop.key";

const RenewOptions force = [] {
  RenewOptions options;
  options.force = true;
  return options;
}();

struct Scene {
  explicit Scene(std::uint64_t seed = 1, FakeCaSettings settings = {})
      : shop(seed, std::move(settings)) {
    bring(*acme::PrivateKey::generate(acme::KeyType::ecdsa_p256));
    spec().csr_file = csr_file;
  }

  CertificateSpec& spec() { return shop.config.certificates[0]; }

  // The operator makes a request with this key, and gives the key to nginx.
  void bring(const acme::PrivateKey& made, std::vector<acme::Identifier> names = {}) {
    key = made;
    if (names.empty()) names = spec().domains;
    const auto der = acme::make_signing_request(key, names);
    request = acme::to_pem(acme::SigningRequest{*der, {}, {}, {}});
    shop.world.files.put(csr_file, request);
    shop.nginx.own_key = key.to_pem();
  }

  std::string file(const std::string& name) const {
    return shop.world.files.text(std::string(Shop::state) + "/live/shop/" + name);
  }
  bool told(const std::string& text) const {
    return std::any_of(shop.trace.begin(), shop.trace.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

  Shop shop;
  acme::PrivateKey key;
  std::string request;
};

}  // namespace

TEST_CASE("an operator's request is ordered, deployed as a chain alone, and verified") {
  Scene scene;
  const auto outcome = scene.shop.renewed();
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.action == Action::renewed);
  CHECK(outcome.generation->leaf().public_key_der == scene.key.public_key_der());
  CHECK_FALSE(outcome.generation->has_key);
  CHECK(scene.file("request.pem") == scene.request);
  CHECK(scene.file("privkey.pem") == "");
  CHECK(scene.shop.violation() == "");
  CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
  CHECK(scene.shop.status().ok());
  CHECK(scene.shop.renewed().action == Action::not_due);
  scene.shop.world.clock.run_for(65 * 24h);
  CHECK(scene.shop.renewed().generation->number == 2);
  CHECK(scene.shop.violation() == "");
}

TEST_CASE("it survives kill -9 and power failure after any file operation") {
  Scene sample;
  REQUIRE_FALSE(sample.shop.renewed().error);
  const std::uint64_t operations = sample.shop.world.files.total_operations();
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      CAPTURE(at);
      Scene scene(at);
      CHECK_FALSE(scene.shop.renew_and_die(at, death).has_value());
      CHECK(scene.shop.violation() == "");
      CHECK_FALSE(scene.shop.renewed().error);
      CHECK(scene.shop.violation() == "");
      CHECK(scene.shop.ca.counters().orders_created <= 2);
      CHECK(scene.shop.status().ok());
      CHECK(scene.shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
    }
  }
}

TEST_CASE("another request is due at once, and an order for the old one is not gone on with") {
  Scene scene;
  scene.shop.renewed();
  scene.bring(*acme::PrivateKey::generate(acme::KeyType::rsa_2048));
  CHECK(scene.shop.status().renew_reason == "csr_file has another key now");
  const auto outcome = scene.shop.renewed();
  CHECK(outcome.reason == "csr_file has another key now");
  CHECK(outcome.generation->leaf().public_key_der == scene.key.public_key_der());

  // Wherever it died on the way, the key is the new one.
  int interrupted = 0;
  for (std::uint64_t at = 20; at < 60; ++at) {
    Scene dying(at);
    dying.shop.renew_and_die(at, Shop::Death::kill);
    if (dying.shop.world.files.exists(std::string(Shop::state) +
                                      "/certificates/shop/issuance.json")) {
      ++interrupted;
    }
    dying.bring(*acme::PrivateKey::generate(acme::KeyType::ecdsa_p256));
    const auto after = dying.shop.renewed();
    REQUIRE_FALSE(after.error);
    CHECK(after.generation->leaf().public_key_der == dying.key.public_key_der());
    CHECK(dying.shop.violation() == "");
  }
  CHECK(interrupted > 3);
}

TEST_CASE("a request that cannot be used costs no order, and says why") {
  Scene scene;
  const auto message_of = [&] {
    const auto outcome = scene.shop.renewed(force);
    REQUIRE(outcome.error);
    return outcome.error->message;
  };
  scene.bring(scene.key, {{"dns", "other.test"}});
  CHECK(message_of() ==
        "csr_file /etc/nolapse/shop.csr: it names other.test, and domains does not; it does not "
        "name shop.test, and domains does; make them the same");
  scene.shop.world.files.put(csr_file, "words");
  CHECK(message_of().find("it is no certificate signing request in PEM form") != std::string::npos);
  scene.shop.world.files.erase(csr_file);
  CHECK(message_of().find("csr_file /etc/nolapse/shop.csr") == 0);
  CHECK(scene.shop.ca.counters().orders_created == 0);
}

TEST_CASE("with key_file beside it the generation is a pair, as long as they belong together") {
  Scene scene;
  scene.shop.world.files.put(key_file, scene.key.to_pem(), 0600);
  scene.shop.nginx.own_key = "";
  scene.spec().key_file = key_file;
  CHECK(scene.shop.renewed().generation->has_key);
  CHECK(scene.file("privkey.pem") == scene.key.to_pem());
  CHECK(scene.shop.violation() == "");
  const auto other = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
  scene.shop.world.files.put(key_file, other->to_pem(), 0600);
  const auto outcome = scene.shop.renewed(force);
  REQUIRE(outcome.error);
  CHECK(outcome.error->message == "key_file /etc/nolapse/shop.key: not the key of csr_file");
}

TEST_CASE("what the operator no longer brings, nolapse makes itself") {
  Scene scene;
  scene.shop.renewed();
  scene.spec().csr_file = "";
  scene.shop.nginx.own_key = "";
  const auto outcome = scene.shop.renewed();
  CHECK(outcome.reason == "the configuration now wants its private key here");
  CHECK(outcome.generation->has_key);
  CHECK(scene.shop.violation() == "");
}

TEST_CASE("a generation whose request is lost or another's is damaged, and replaced") {
  for (const bool lost : {true, false}) {
    Scene scene;
    scene.shop.renewed();
    const std::string kept = std::string(Shop::state) + "/certificates/shop/1/request.pem";
    if (lost) {
      scene.shop.world.files.erase(kept);
    } else {
      Scene other(2);
      scene.shop.world.files.put(kept, other.request);
    }
    CHECK(scene.shop.renewed().generation->number == 2);
    CHECK(scene.told("GENERATION_DAMAGED"));
    CHECK(scene.told(lost ? "privkey.pem" : "request.pem is not of the key of the certificate"));
  }
}

TEST_CASE("a name that fails is not left out of a request that names it") {
  Scene scene;
  scene.shop.world.add_local_name("www.shop.test");
  scene.spec().domains.push_back({"dns", "www.shop.test"});
  scene.bring(scene.key);
  scene.shop.world.dns.name("www.shop.test").addresses.clear();
  for (int i = 0; i < 5; ++i) {
    scene.shop.world.clock.run_for(2 * 24h);
    CHECK(scene.shop.renewed().error);
  }
  CHECK_FALSE(scene.told("NAME_QUARANTINED"));
}

TEST_CASE("a compromised key is not certified again because the request is still there") {
  Scene scene;
  scene.shop.renewed();
  ScheduleRecord schedule;
  schedule.revocation = SavedRevocation{scene.shop.fingerprint_of_live(),
                                        {scene.shop.world.clock.now(), "keyCompromise"}};
  const Store store(Shop::state, scene.shop.world.files);
  bool saved = false;
  scene.shop.world.files.run(store.save_schedule("shop", schedule),
                             [&](Result<void>) { saved = true; });
  REQUIRE(scene.shop.world.clock.run_until([&] { return saved; }));
  const auto outcome = scene.shop.renewed();
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "KEY_COMPROMISED");
  CHECK(scene.shop.ca.counters().orders_created == 1);
  scene.bring(*acme::PrivateKey::generate(acme::KeyType::ecdsa_p256));
  CHECK(scene.shop.renewed().issued);
}
