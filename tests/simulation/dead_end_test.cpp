// Ways into a state that no later run would leave by itself, or in which a certificate is wasted.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

}  // namespace

TEST_CASE("an order that the CA forgot is replaced in the same run, and its key is not lost") {
  Shop shop(21);
  const std::string path = std::string(Shop::state) + "/certificates/shop/issuance.json";
  shop.world.add_webroot(80, "/var/www");
  REQUIRE(shop.renewed().error->code == "PORT_IN_USE");  // which keeps the order
  shop.config.challenges["web"].listen.clear();
  shop.config.challenges["web"].webroot = "/var/www";
  std::string text = shop.world.files.text(path);
  text.insert(text.find('"', text.find("\"order_url\": \"") + 14), "999");
  shop.world.files.erase(path);
  shop.world.files.put(path, text);
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.ca.counters().certificates_issued == 1);
}

TEST_CASE("a private key that is cut short is noticed, and the certificate replaced") {
  Shop shop(22);
  shop.renewed();
  const std::string path = std::string(Shop::state) + "/certificates/shop/1/privkey.pem";
  shop.world.files.erase(path);
  shop.world.files.put(path, "-----BEGIN PRIV");
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.violation() == "");
}

TEST_CASE("a forced renewal that failed is tried again by the next run, then all is well") {
  Shop shop(23);
  shop.renewed();
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages.push_back({now, now + 1h});
  CHECK(shop.renewed(forced()).action == Action::failed);
  CHECK(shop.status().renewal == RenewalHealth::failing);
  shop.world.clock.run_for(24h);
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.action == Action::renewed);
  CHECK(outcome.reason == "the last attempt failed");
  CHECK(shop.status().ok());
}

TEST_CASE("an order that hangs at the CA is given up: by a person at once, by itself in time") {
  for (const bool by_person : {true, false}) {
    CAPTURE(by_person);
    FakeCaSettings settings;
    settings.certificate_lifetime = 6 * 24h;
    Shop shop(24, settings);
    shop.renewed();
    shop.world.clock.run_for(3 * 24h + 1h);
    shop.ca.settings.processing_delay = 60 * 24h;
    CHECK(shop.renewed().action == Action::waiting);
    shop.ca.settings.processing_delay = 3s;  // only that one order hangs
    if (by_person) {
      CHECK(shop.renewed(forced()).action == Action::renewed);
      continue;
    }
    Action last = Action::waiting;
    for (int tries = 0; tries < 4 && last != Action::renewed; ++tries) {
      shop.world.clock.run_for(6h);
      last = shop.renewed().action;
    }
    CHECK(last == Action::renewed);
    CHECK(shop.status().ok());
  }
}

TEST_CASE("one endpoint that cannot be reached holds neither live/ back nor restarts the server") {
  Shop shop(25);
  shop.config.certificates[0].endpoints->push_back({"shop.test:1", "shop.test", 1, "shop.test"});
  CHECK(shop.renewed().action == Action::failed);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
  const std::size_t hooks = shop.world.processes.started().size();
  const CertificateOutcome again = shop.renewed();
  CHECK(again.action == Action::failed);
  CHECK(again.error->code == "NOT_SERVED");
  CHECK(shop.world.processes.started().size() == hooks);
}

TEST_CASE("a state directory that cannot be read is not an empty one") {
  Shop shop(26);
  shop.renewed();
  shop.world.files.set_unreadable(std::string(Shop::state) + "/certificates/shop", true);
  CHECK(shop.status().renewal == RenewalHealth::unknown);
  CHECK(shop.renewed().action == Action::failed);
  CHECK(shop.ca.counters().orders_created == 1);
}

TEST_CASE("the key of an order under way survives a run with another configuration") {
  Shop shop(27);
  shop.world.http_responder.occupy(80, "apache2");
  REQUIRE(shop.renewed().error->code == "PORT_IN_USE");
  const std::vector<CertificateSpec> both = shop.config.certificates;
  shop.config.certificates.clear();
  REQUIRE(shop.renew().has_value());
  shop.config.certificates = both;
  shop.world.http_responder.release(80);
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.ca.counters().orders_created == 1);
}

TEST_CASE("a dry run says what waits and touches nothing") {
  Shop shop(28);
  shop.nginx.broken_configuration = true;
  shop.renewed();
  const auto before = shop.world.files.tree();
  RenewOptions dry;
  dry.dry_run = true;
  CHECK(shop.renewed(dry).action == Action::would_deploy);
  CHECK(shop.world.files.tree() == before);
}

TEST_CASE("nothing that could be verified is not the same as verified") {
  Shop shop(29);
  shop.config.certificates[0].endpoints.reset();
  CHECK(shop.renewed().unverified);
  CHECK(shop.renewed().unverified);
  shop.config.certificates[0].endpoints = std::vector<Endpoint>{};  // the operator says so
  CHECK_FALSE(shop.renewed().unverified);
}
