// A process may end after any file operation and between any two events, by kill -9 or with the
// power. The next run completes what was begun, with the order that was begun.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

// The run after the death completes everything; what must hold, holds on the way.
void check_recovery(Shop& shop, int orders_allowed) {
  CHECK(shop.violation() == "");
  const auto outcomes = shop.renew();
  REQUIRE(outcomes.has_value());
  if (!*outcomes) FAIL((*outcomes).error().message);
  const CertificateOutcome& outcome = (**outcomes).front();
  if (outcome.error) MESSAGE(outcome.error->message);
  CHECK_FALSE(outcome.error.has_value());
  CHECK(shop.violation() == "");
  CHECK(shop.fingerprint_of_live() == outcome.generation->leaf().fingerprint_sha256);
  CHECK(shop.fingerprint_served() == shop.fingerprint_of_live());
  CHECK(shop.ca.counters().orders_created <= orders_allowed);
  CHECK(shop.world.http_responder.tokens() == 0);
  CHECK(shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
  CHECK(shop.status().ok());
  // And it is really over: nothing is left to be done.
  CHECK(shop.renewed().action == Action::not_due);
}

std::uint64_t operations_of(RenewOptions options, bool renewed_before) {
  Shop shop(1000);
  if (renewed_before) shop.renewed();
  const std::uint64_t before = shop.world.files.total_operations();
  shop.renewed(std::move(options));
  return shop.world.files.total_operations() - before;
}

}  // namespace

TEST_CASE("the first issuance survives kill -9 and power failure after any file operation") {
  const std::uint64_t operations = operations_of({}, false);
  REQUIRE(operations > 40);
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      CAPTURE(at);
      CAPTURE(static_cast<int>(death));
      Shop shop(at);
      CHECK_FALSE(shop.renew_and_die(at, death).has_value());
      // Two where the CA had made the order and nothing of it had reached the disk.
      check_recovery(shop, 2);
    }
  }
}

TEST_CASE("a forced renewal survives the same, and the old certificate is served until then") {
  RenewOptions force;
  force.force = true;
  const std::uint64_t operations = operations_of(force, true);
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      CAPTURE(at);
      CAPTURE(static_cast<int>(death));
      Shop shop(at);
      shop.renewed();
      CHECK_FALSE(shop.renew_and_die(at, death, force).has_value());
      CHECK(shop.fingerprint_of_live() != "");
      CHECK(shop.nginx.serving().has_value());
      check_recovery(shop, 3);
    }
  }
}

TEST_CASE("an order whose URL is on disk is never placed twice") {
  FakeCaSettings settings;
  settings.reuse_orders = false;  // so that a second newOrder would count
  const std::uint64_t operations = operations_of({}, false);
  int one_order = 0;
  for (std::uint64_t at = 1; at <= operations; ++at) {
    CAPTURE(at);
    Shop shop(at, settings);
    shop.renew_and_die(at, Shop::Death::kill);
    const bool on_disk =
        shop.world.files.exists(std::string(Shop::state) + "/certificates/shop/issuance.json");
    const int orders_before = shop.ca.counters().orders_created;
    check_recovery(shop, 2);
    if (!on_disk) continue;
    ++one_order;
    CHECK(shop.ca.counters().orders_created == orders_before);
  }
  CHECK(one_order > 10);
}

TEST_CASE("kill -9 between any two events is survived") {
  for (int steps = 1;; ++steps) {
    CAPTURE(steps);
    REQUIRE(steps < 2000);
    Shop shop(static_cast<std::uint64_t>(steps));
    if (shop.renew_and_die_after_steps(steps, Shop::Death::kill).has_value()) break;
    check_recovery(shop, 2);
  }
}

TEST_CASE("dying again and again, a little later each time, comes to an end with one certificate") {
  FakeCaSettings settings;
  settings.reuse_orders = true;  // as Boulder does; else every death while saving costs one
  Shop shop(77, settings);
  std::uint64_t at = 1;
  while (!shop.renew_and_die(at, Shop::Death::power_failure).has_value()) {
    CHECK(shop.violation() == "");
    at += 1;
    REQUIRE(at < 500);
  }
  CHECK(shop.status().ok());
  CHECK(shop.ca.counters().orders_created == 1);
  CHECK(shop.ca.counters().certificates_issued == 1);
}
