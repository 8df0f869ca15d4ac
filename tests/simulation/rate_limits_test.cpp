// What our count of a CA's rate limits does to orders: it spares the CA and a person's reserve, and
// it never costs a certificate.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

RenewOptions forced(bool again = false) {
  RenewOptions options;
  options.force = true;
  options.again = again;
  return options;
}

RenewOptions by_daemon() {
  RenewOptions options;
  options.by_daemon = true;
  return options;
}

FakeCa& add_second_ca(Shop& shop) {
  FakeCaSettings settings;
  settings.base_url = "https://second.test";
  settings.name = "second";
  FakeCa& second = shop.world.add_ca(settings);
  CaConfig config = shop.config.cas.front();
  config.name = "second";
  config.directory = second.directory_url();
  config.issuer_roots_file.clear();
  config.roots_file = "/etc/nolapse/second.pem";  // a private CA
  shop.config.cas.push_back(config);
  shop.config.certificates[0].cas = {"ca", "second"};
  return second;
}

bool says(const CertificateOutcome& outcome, const std::string& text) {
  return outcome.error && outcome.error->message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("renew --force in a loop stops before the last duplicate, --again spends it") {
  Shop shop(1);
  shop.renewed();
  CertificateOutcome outcome;
  for (int i = 0; i < 10; ++i) outcome = shop.renewed(forced());
  CHECK(shop.ca.counters().orders_created == 4);
  CHECK(outcome.action == Action::waiting);
  CHECK(outcome.error->code == "RATE_LEDGER");
  CHECK(says(outcome, "1 of 5 duplicate certificates left"));
  CHECK(says(outcome, "--again"));
  CHECK(shop.renewed(forced(true)).action == Action::renewed);
  CHECK(shop.ca.counters().orders_created == 5);
  outcome = shop.renewed(forced());
  CHECK(says(outcome, "0 of 5 duplicate certificates left"));
  CHECK(shop.ca.counters().orders_created == 5);
}

TEST_CASE("what the CA has issued is counted, also where it cannot be read") {
  Shop shop(14);
  shop.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint == CaEndpoint::certificate) response.body = "garbage";
  };
  for (int i = 0; i < 10; ++i) shop.renewed(forced());
  // One of five is left to a person who says --again.
  CHECK(shop.ca.counters().certificates_issued == 4);
  CHECK(shop.renewed(forced()).error->code == "RATE_LEDGER");
  CHECK(shop.renewed(forced(true)).error->code != "RATE_LEDGER");
  CHECK(shop.ca.counters().certificates_issued == 5);
}

TEST_CASE("the count survives the process, and its loss costs half") {
  Shop shop(2);
  shop.renewed();
  shop.renewed(forced());
  const std::string path = std::string(Shop::state) + "/ledger/ca.json";
  REQUIRE(shop.world.files.exists(path));
  shop.world.files.erase(path);
  int more = 0;
  while (more < 10 && shop.renewed(forced()).action == Action::renewed) ++more;
  CHECK(more == 2);
  shop.world.files.put(path, "garbage");
  CHECK(shop.renewed(forced()).action == Action::renewed);
}

TEST_CASE("a renewal inside the CA's window is not counted as an order") {
  Shop shop(3);
  shop.renewed();
  const auto left = [&] {
    for (const std::string& line : shop.trace) {
      if (line.find("duplicate certificates left") != std::string::npos) return line;
    }
    return std::string();
  };
  for (int i = 0; i < 3; ++i) {
    shop.world.clock.run_for(63 * 24h);
    CHECK(shop.renewed(by_daemon()).action == Action::renewed);
  }
  CHECK(left() == "");
}

TEST_CASE("certificates that are worked on at once do not spend the same order twice") {
  DaemonScene scene(3);
  scene.shop.config.cas[0].rate_limits.orders_per_account = {10, 36s};
  for (int i = 0; i < 100; ++i) {
    const std::string name = "more" + std::to_string(i);
    scene.shop.add_certificate(name, name + ".test");
  }
  REQUIRE(scene.start());
  for (int minutes = 2; minutes <= 30; minutes += 2) {
    scene.run_for(2min);
    const int allowed = 10 + minutes * 60 / 36 + 1;
    CHECK(scene.shop.ca.counters().orders_created <= allowed);
  }
  // The limit is used, too.
  CHECK(scene.shop.ca.counters().orders_created >= 45);
}

TEST_CASE("certificates that share a name and are worked on at once leave its last failure") {
  FakeCaSettings settings;
  settings.reuse_pending_authorizations = false;
  DaemonScene scene(8, settings);
  Shop& shop = scene.shop;
  shop.world.add_local_name("bad.test");
  shop.world.dns.public_name("bad.test").addresses = {"192.0.2.99"};
  for (int i = 0; i < 6; ++i) {
    const std::string name = "more" + std::to_string(i);
    shop.add_certificate(name, name + ".test");
    shop.config.certificates.back().domains.push_back({"dns", "bad.test"});
  }
  REQUIRE(scene.start());
  for (int minutes = 0; minutes <= 60; minutes += 2) {
    CHECK(shop.ca.counters().failed_validations <= 4 + minutes / 12);
    scene.run_for(2min);
  }
  // What came back is used.
  CHECK(shop.ca.counters().failed_validations >= 7);
}

TEST_CASE("certificates for the same names that are ordered at once leave the last duplicate") {
  DaemonScene scene(9);
  for (int i = 0; i < 6; ++i) scene.shop.add_certificate("more" + std::to_string(i), "shop.test");
  REQUIRE(scene.start());
  scene.run_for(30h);
  CHECK(scene.issued() == 4);
}

TEST_CASE("an order that goes on after a crash is counted by those that begin beside it") {
  FakeCaSettings settings;
  settings.reuse_pending_authorizations = false;
  Shop shop(10, settings);
  shop.config.cas[0].rate_limits.failed_validations = {2, 24h};
  shop.renewed();
  shop.world.clock.run_for(61 * 24h);
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  for (int steps = 20; steps < 200 && shop.ca.counters().orders_created == 1; ++steps) {
    shop.renew_and_die_after_steps(steps, Shop::Death::kill);
  }
  REQUIRE(shop.ca.counters().orders_created == 2);
  REQUIRE(shop.ca.counters().failed_validations == 0);
  shop.add_certificate("twin", "shop.test");
  shop.renew();
  CHECK(shop.ca.counters().failed_validations == 1);
}

TEST_CASE("failed validations end before the last, and go on when one came back") {
  Shop shop(4);
  shop.config.cas[0].rate_limits = RateLimits::none();
  shop.config.cas[0].rate_limits.failed_validations = {5, 12min};
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  for (int i = 0; i < 4; ++i) CHECK(shop.renewed().error->kind == ErrorKind::validation);
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.error->code == "RATE_LEDGER");
  CHECK(says(outcome, "1 of 5 failed validations of shop.test left"));
  CHECK(shop.ca.counters().failed_validations == 4);
  shop.world.clock.run_for(12min);
  CHECK(shop.renewed().error->kind == ErrorKind::validation);
}

TEST_CASE("an estimate that is used up does not let a certificate lapse") {
  FakeCaSettings settings;
  settings.renewal_info = false;
  Shop shop(5, settings);
  shop.config.cas[0].rate_limits.certificates_per_set = {2, 200 * 24h};
  shop.renewed();
  shop.renewed(forced());
  shop.world.clock.run_for(61 * 24h);
  const CertificateOutcome waits = shop.renewed(by_daemon());
  CHECK(waits.action == Action::waiting);
  shop.world.clock.run_for(13 * 24h);
  CHECK(shop.renewed(by_daemon()).action != Action::renewed);
  shop.world.clock.run_for(30h);  // now less than a sixth of the lifetime is left
  CHECK(shop.renewed(by_daemon()).action == Action::renewed);
}

TEST_CASE("the last failed validation is not spent, however little time is left") {
  Shop shop(7);
  shop.renewed();
  shop.world.clock.run_for(80 * 24h);
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  for (int i = 0; i < 8; ++i) shop.renewed();
  CHECK(shop.ca.counters().failed_validations == 4);
}

TEST_CASE("nor is it when our estimate of something else is used up, too") {
  Shop shop(11);
  shop.config.cas[0].rate_limits.certificates_per_set = {2, 200 * 24h};
  shop.renewed();
  shop.renewed(forced());
  shop.world.clock.run_for(80 * 24h);
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  for (int i = 0; i < 8; ++i) shop.renewed();
  CHECK(shop.ca.counters().failed_validations == 4);
}

TEST_CASE("--force that our count refuses leaves a healthy certificate healthy") {
  DaemonScene scene(12);
  Shop& shop = scene.shop;
  shop.renewed();
  CertificateOutcome outcome;
  for (int i = 0; i < 5; ++i) outcome = shop.renewed(forced());
  CHECK(outcome.action == Action::waiting);
  const int orders = shop.ca.counters().orders_created;
  CHECK(orders == 4);
  const CertificateStatus status = shop.status();
  CHECK(status.renewal == RenewalHealth::ok);
  CHECK(status.failures == 0);
  CHECK_FALSE(status.last_error.has_value());
  CHECK(shop.renewed().action == Action::not_due);
  // Nor does the daemon finish what was refused once it could.
  REQUIRE(scene.start());
  scene.run_for(10 * 24h);
  CHECK(shop.ca.counters().orders_created == orders);
}

TEST_CASE("--force that our count refuses leaves a failing certificate to its back-off") {
  Shop shop(13);
  shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  for (int i = 0; i < 4; ++i) shop.renewed();
  const CertificateStatus before = shop.status();
  REQUIRE(before.failures == 4);
  CHECK(shop.renewed(forced()).error->code == "RATE_LEDGER");
  const CertificateStatus after = shop.status();
  CHECK(after.failures == 4);
  CHECK(after.next_attempt == before.next_attempt);
  CHECK(after.last_error->code == before.last_error->code);
}

TEST_CASE("--force stops at the first CA's reserve, with another CA behind it") {
  Shop shop(14);
  FakeCa& second = add_second_ca(shop);
  shop.config.cas[0].rate_limits.certificates_per_set = {4, 200 * 24h};
  shop.renewed();
  for (int i = 0; i < 6; ++i) shop.renewed(forced());
  CHECK(shop.ca.counters().certificates_issued == 3);
  CHECK(second.counters().certificates_issued == 0);
  // Little time is another matter.
  shop.world.clock.run_for(80 * 24h);
  CHECK(shop.renewed(forced()).action == Action::renewed);
  CHECK(second.counters().certificates_issued == 1);
}

TEST_CASE("what the CA itself asks to wait for holds until a person asks again") {
  Shop shop(6);
  shop.renewed();
  shop.ca.settings.orders_per_account = {1, 3h};
  CHECK(shop.renewed(forced()).error->code == "CA_RATE_LIMITED");
  const int limited = shop.ca.counters().rate_limited;
  const CertificateOutcome outcome = shop.renewed(forced());
  CHECK(outcome.error->code == "RATE_LEDGER");
  CHECK(says(outcome, "the CA asks to wait until"));
  CHECK(shop.ca.counters().rate_limited == limited);
  CHECK(shop.renewed(forced(true)).error->code == "CA_RATE_LIMITED");
  CHECK(shop.ca.counters().rate_limited > limited);
}

TEST_CASE("what the CA asks of the account holds for all its certificates, once for all") {
  for (const bool of_account : {true, false}) {
    CAPTURE(of_account);
    Shop shop(7);
    shop.renewed();
    shop.add_certificate("blog", "blog.test");
    CaLimit& limit =
        of_account ? shop.ca.settings.orders_per_account : shop.ca.settings.certificates_per_set;
    limit = {1, 3h};
    const auto outcome_of = [&](const char* name, RenewOptions options) {
      options.names = {name};
      const auto outcomes = shop.renew(options);
      REQUIRE(outcomes);
      REQUIRE(*outcomes);
      return (**outcomes).front();
    };
    REQUIRE(outcome_of("shop", forced(true)).error->code == "CA_RATE_LIMITED");
    const int limited = shop.ca.counters().rate_limited;
    const CertificateOutcome other = outcome_of("blog", by_daemon());
    CHECK(shop.ca.counters().rate_limited == limited);
    CHECK(other.error.has_value() == of_account);
    if (of_account) CHECK(other.error->code == "RATE_LEDGER");
  }
}
