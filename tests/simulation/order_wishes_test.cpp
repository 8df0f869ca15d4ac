// What an operator wishes of a certificate beyond its names: a profile, a lifetime, a key.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

bool told(const Shop& shop, const std::string& text) {
  for (const std::string& line : shop.trace) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("68: a profile that the CA does not offer costs no order, and its own are told") {
  FakeCaSettings settings;
  settings.profiles["classic"] = {"ninety days", 90 * 24h};
  Shop shop(1, settings);
  shop.config.certificates[0].profile = "gone";
  const auto outcome = shop.renewed();
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "PROFILE_NOT_OFFERED");
  CHECK(outcome.error->message.find("offers no profile \"gone\" (offered: classic)") !=
        std::string::npos);
  CHECK(shop.ca.counters().orders_created == 0);
  shop.config.certificates[0].profile = "classic";
  CHECK(shop.renewed().action == CertificateOutcome::Action::renewed);
}

TEST_CASE("68: a profile that vanished does not cost the certificate in the end") {
  FakeCaSettings settings;
  settings.profiles["classic"] = {"ninety days", 90 * 24h};
  Shop shop(1, settings);
  shop.config.certificates[0].profile = "classic";
  REQUIRE(shop.renewed().issued);
  shop.ca.settings.profiles.clear();
  shop.world.clock.run_for(65 * 24h);
  CHECK(shop.renewed().error->code == "PROFILE_NOT_OFFERED");
  shop.world.clock.run_for(20 * 24h);
  CHECK(shop.renewed().issued);
  CHECK(told(shop, "so the CA's default is taken"));
}

TEST_CASE("68: an order that has another profile than was asked for is told") {
  FakeCaSettings settings;
  settings.profiles["classic"] = {"ninety days", 90 * 24h};
  Shop shop(1, settings);
  shop.config.certificates[0].profile = "classic";
  shop.ca.settings.alter = [](CaEndpoint, acme::HttpResponse& response) {
    const std::string asked = "\"profile\":\"classic\"";
    const std::size_t at = response.body.find(asked);
    if (at != std::string::npos) response.body.replace(at, asked.size(), "\"profile\":\"other\"");
  };
  CHECK(shop.renewed().issued);
  CHECK(told(shop, "PROFILE_NOT_AS_ASKED ca issued by its profile \"other\", not by \"classic\""));
}

TEST_CASE("a lifetime is asked for, and another one than was asked for is told") {
  Shop shop(1);
  shop.config.certificates[0].lifetime = 7 * 24h;
  std::string asked;
  shop.ca.settings.instead =
      [&](CaEndpoint endpoint,
          const acme::HttpRequest& request) -> std::optional<acme::HttpResponse> {
    if (endpoint == CaEndpoint::new_order) asked = request.body;
    return std::nullopt;
  };
  CHECK(shop.renewed().issued);
  CHECK_FALSE(asked.empty());
  CHECK(told(shop, "LIFETIME_NOT_AS_ASKED"));
}

TEST_CASE("an operator's own key is the one that is certified, each time") {
  Shop shop(1);
  const auto key = acme::PrivateKey::generate(acme::KeyType::rsa_2048);
  shop.world.files.put("/etc/nolapse/shop.key", key->to_pem(), 0600);
  shop.config.certificates[0].key_file = "/etc/nolapse/shop.key";
  shop.config.certificates[0].key_type = acme::KeyType::rsa_2048;
  for (int i = 0; i < 2; ++i) {
    RenewOptions options;
    options.force = i > 0;
    const auto outcome = shop.renewed(options);
    REQUIRE(outcome.generation);
    CHECK(outcome.generation->leaf().public_key_der == key->public_key_der());
  }
  shop.world.files.put("/etc/nolapse/shop.key", "no key", 0600);
  RenewOptions options;
  options.force = true;
  const auto outcome = shop.renewed(options);
  REQUIRE(outcome.error);
  CHECK(outcome.error->message.find("key_file /etc/nolapse/shop.key") != std::string::npos);
}
