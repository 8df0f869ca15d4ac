// A second certificate from another CA is kept ready, and takes over within one look: at a person's
// word, after a revocation, and as the last resort.
#include <doctest/doctest.h>

#include "agent/core/standby.h"
#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

namespace {

const std::string series = std::string(Shop::state) + "/certificates/shop/standby";

FakeCa& add_second_ca(Shop& shop, Duration lifetime = 90 * 24h) {
  FakeCaSettings settings;
  settings.base_url = "https://other.test";
  settings.name = "Other CA";
  settings.certificate_lifetime = lifetime;
  FakeCa& other = shop.world.add_ca(std::move(settings));
  std::string anchors;
  for (const std::string& anchor : other.trust_anchors()) anchors += pem_of(anchor);
  shop.world.files.put("/etc/nolapse/other.pem", anchors);
  CaConfig ca = shop.config.cas.front();
  ca.name = "other";
  ca.directory = other.directory_url();
  ca.issuer_roots_file = "/etc/nolapse/other.pem";
  shop.config.cas.push_back(ca);
  shop.config.certificates[0].cas = {"ca", "other"};
  shop.config.certificates[0].standby = true;
  return other;
}

struct StandbyShop {
  explicit StandbyShop(std::uint64_t seed) : shop(seed), other(add_second_ca(shop)) {
    const auto outcomes = shop.renew();
    REQUIRE(outcomes.has_value());
    REQUIRE(outcomes->has_value());
    first = **outcomes;
  }
  std::string standby() const { return shop_standby(shop); }
  static std::string shop_standby(const Shop& shop) {
    Store store(Shop::state, shop.world.files);
    const auto newest = store.newest_generation("shop/standby");
    return newest && *newest ? (*newest)->leaf().fingerprint_sha256 : "";
  }
  int orders() const { return shop.ca.counters().orders_created + other.counters().orders_created; }

  Shop shop;
  FakeCa& other;
  Shop::Outcomes first;
};

RenewOptions forced(const std::string& ca) {
  RenewOptions options;
  options.force = true;
  options.ca = ca;
  return options;
}

struct StandbyScene : DaemonScene {
  explicit StandbyScene(std::uint64_t seed, Duration lifetime = 90 * 24h)
      : DaemonScene(seed), other(add_second_ca(shop, lifetime)) {
    REQUIRE(start());
    run_for(5min);
    REQUIRE(shop.status().ok());
  }
  std::string standby() const { return StandbyShop::shop_standby(shop); }
  void end_both_cas() {
    for (FakeCa* ca : {&shop.ca, &other}) {
      const Time now = shop.world.clock.true_time();
      ca->settings.outages.push_back({now, now + 3650 * 24h});
    }
  }

  FakeCa& other;
};

}  // namespace

TEST_CASE("one run obtains the certificate and its standby, which is served nowhere") {
  StandbyShop scene(1);
  REQUIRE(scene.first.size() == 2);
  CHECK(scene.first[1].name == "shop/standby");
  CHECK(scene.first[1].action == Action::renewed);
  CHECK(scene.first[1].generation->ca == "other");
  CHECK(scene.first[1].deployments.empty());
  CHECK(scene.shop.fingerprint_served() == scene.first[0].generation->leaf().fingerprint_sha256);
  CHECK(scene.shop.nginx.served().size() == 1);
  CHECK(scene.shop.world.files.mode(series + "/2/privkey.pem") == 0600);
  CHECK_FALSE(scene.shop.world.files.exists(series + "/deployments.json"));
  CHECK(scene.shop.world.files.list(std::string(Shop::state) + "/live")->size() == 1);
  CHECK(scene.shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());

  const CertificateStatus status = scene.shop.status();
  CHECK(status.ok());
  REQUIRE(status.standby);
  CHECK(status.standby->ca == "other");
  CHECK(status.standby->generation->number == 2);
  CHECK(status.standby->renewal == RenewalHealth::ok);
  CHECK((*scene.shop.renew())->at(1).action == Action::not_due);
  CHECK(scene.orders() == 2);
}

TEST_CASE("--force --ca switches to the standby, and no CA is asked for anything") {
  StandbyShop scene(2);
  const std::string standby = scene.standby();
  const int requests = scene.shop.ca.counters().requests + scene.other.counters().requests;
  const CertificateOutcome outcome = scene.shop.renewed(forced("other"));
  CHECK(outcome.action == Action::renewed);
  CHECK(outcome.reason == "the standby takes over: requested with --force --ca other");
  CHECK(outcome.generation->number == 3);
  CHECK(outcome.deployments.at("nginx").stage == DeploymentStage::verified);
  CHECK(scene.orders() == 2);
  // What the CA says of the old one, its advice and its list, is all that was asked for.
  CHECK(scene.shop.ca.counters().requests + scene.other.counters().requests - requests <= 3);
  CHECK(scene.shop.fingerprint_served() == standby);
  CHECK(scene.shop.fingerprint_of_live() == standby);
  CHECK(scene.standby().empty());
  const std::string meta =
      scene.shop.world.files.text(std::string(Shop::state) + "/certificates/shop/3/meta.json");
  CHECK(meta.find("\"series\": \"standby\"") != std::string::npos);

  // The next look brings a new one, from the CA that the certificate is no longer from.
  CHECK(scene.shop.status().renewal == RenewalHealth::due);
  const auto outcomes = scene.shop.renew();
  CHECK((*outcomes)->at(0).action == Action::not_due);
  CHECK((*outcomes)->at(1).generation->ca == "ca");
  CHECK((*outcomes)->at(1).generation->number == 4);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("a second --force --ca, and --again, get a new certificate from the CA") {
  StandbyShop scene(3);
  SUBCASE("twice") {
    scene.shop.renewed(forced("other"));
    const CertificateOutcome outcome = scene.shop.renewed(forced("other"));
    CHECK(outcome.action == Action::renewed);
    CHECK(outcome.reason == "requested with --force");
    CHECK(scene.other.counters().orders_created == 2);
  }
  SUBCASE("--again leaves the standby where it is") {
    const std::string standby = scene.standby();
    RenewOptions again = forced("other");
    again.again = true;
    CHECK(scene.shop.renewed(again).action == Action::renewed);
    CHECK(scene.other.counters().orders_created == 2);
    CHECK(scene.standby() == standby);
  }
  SUBCASE("another CA than the standby's") {
    CHECK(scene.shop.renewed(forced("ca")).action == Action::renewed);
    CHECK(scene.shop.ca.counters().orders_created == 2);
  }
  CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
}

TEST_CASE("an order under way ends with the switch, and does not come back") {
  StandbyShop scene(4);
  scene.shop.ca.settings.processing_delay = 24h;
  CHECK(scene.shop.renewed(forced("ca")).action == Action::waiting);
  const std::string issuance = std::string(Shop::state) + "/certificates/shop/issuance.json";
  REQUIRE(scene.shop.world.files.exists(issuance));
  CHECK(scene.shop.renewed(forced("other")).action == Action::renewed);
  CHECK_FALSE(scene.shop.world.files.exists(issuance));
  CHECK(scene.shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
  CHECK(scene.shop.world.http_responder.tokens() == 0);
  scene.shop.ca.settings.processing_delay = 3s;
  CHECK(scene.shop.renewed().action == Action::not_due);
}

TEST_CASE("a switch survives kill -9 and power failure after any file operation") {
  std::uint64_t operations = 0;
  {
    StandbyShop scene(1000);
    operations = scene.shop.world.files.total_operations();
    scene.shop.renewed(forced("other"));
    operations = scene.shop.world.files.total_operations() - operations;
  }
  REQUIRE(operations > 10);
  int switched = 0;
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (std::uint64_t at = 1; at <= operations; ++at) {
      CAPTURE(at);
      CAPTURE(static_cast<int>(death));
      StandbyShop scene(at);
      const std::string standby = scene.standby();
      CHECK_FALSE(scene.shop.renew_and_die(at, death, forced("other")).has_value());
      CHECK(scene.shop.violation() == "");
      CHECK(scene.shop.fingerprint_of_live() != "");
      const CertificateOutcome outcome = scene.shop.renewed();
      CHECK_FALSE(outcome.error.has_value());
      const std::string newest = outcome.generation->leaf().fingerprint_sha256;
      switched += newest == standby;
      CHECK(scene.shop.fingerprint_served() == newest);
      CHECK(scene.shop.fingerprint_of_live() == newest);
      // It is in the one series or in the other, never lost and never in both.
      CHECK((newest == standby) != (scene.standby() == standby));
      CHECK(scene.orders() <= 3);
      CHECK(scene.shop.status().ok());
      CHECK(scene.shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
    }
  }
  CHECK(switched > 20);
}

TEST_CASE("an order for the standby that was interrupted is gone on with") {
  std::uint64_t operations = 0;
  {
    StandbyShop scene(1001);
    operations = scene.shop.world.files.total_operations();
  }
  int resumed = 0;
  for (std::uint64_t at = 1; at <= operations; ++at) {
    CAPTURE(at);
    Shop shop(at);
    FakeCa& other = add_second_ca(shop);
    other.settings.reuse_orders = false;
    shop.renew_and_die(at, Shop::Death::kill);
    const bool on_disk = shop.world.files.exists(series + "/issuance.json");
    const int before = other.counters().orders_created;
    REQUIRE(shop.renew().has_value());
    CHECK(shop.status().ok());
    CHECK(shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
    if (!on_disk) continue;
    ++resumed;
    CHECK(other.counters().orders_created == before);
  }
  CHECK(resumed > 10);
}

TEST_CASE("a revocation switches within the look that learns of it, however new it is") {
  StandbyScene scene(5);
  SUBCASE("it is three days old") {
    scene.run_for(3 * 24h);
  }
  SUBCASE("it is an hour old") {
    scene.run_for(1h);
  }
  const std::string standby = scene.standby();
  const int orders = scene.shop.ca.counters().orders_created;
  scene.shop.ca.revoke(scene.shop.ca.certificates().begin()->first,
                       scene.shop.world.clock.true_time());
  REQUIRE(scene.run_until_event("STANDBY_PROMOTED", 7h));  // the next poll of the CA's advice
  scene.run_for(10s);
  CHECK(scene.shop.fingerprint_served() == standby);
  CHECK(scene.shop.fingerprint_of_live() == standby);
  scene.run_for(5min);
  CHECK(scene.shop.ca.counters().orders_created == orders + 1);  // for the new standby
  CHECK(scene.shop.status().standby->ca == "ca");
  CHECK(scene.shop.status().ok());
  scene.run_for(24h);
  CHECK(scene.count("STANDBY_PROMOTED") == 1);
}

TEST_CASE("the renewal after a switch goes home, and the standby is from the other CA again") {
  StandbyScene scene(6);
  bool ended = false;
  scene.daemon->renew(forced("other"), [&](const auto&) { ended = true; });
  REQUIRE(scene.shop.world.clock.run_until([&] { return ended; }));
  scene.run_for(5min);
  CHECK(scene.shop.status().ca == "other");
  CHECK(scene.shop.status().standby->ca == "ca");
  scene.run_for(65 * 24h);
  CHECK(scene.shop.status().ca == "ca");
  CHECK(scene.shop.status().standby->ca == "other");
  CHECK(scene.shop.status().ok());
}

TEST_CASE("all CAs are gone near the end: the standby is served while the rest waits") {
  StandbyScene scene(7, 120 * 24h);
  scene.run_for(55 * 24h);
  const std::string standby = scene.standby();
  scene.end_both_cas();
  scene.run_for(15 * 24h);
  CHECK(scene.count("STANDBY_PROMOTED") == 0);  // there is time
  scene.run_for(10 * 24h);
  CHECK(scene.count("STANDBY_PROMOTED") == 1);
  CHECK(scene.shop.fingerprint_served() == standby);
  scene.run_for(25 * 24h);  // past the end of the first
  CHECK(scene.shop.status().serving == Serving::ok);
  CHECK(scene.count("EXPIRED") == 0);
  // And nobody is left in the dark about it.
  CHECK(scene.shop.status().renewal == RenewalHealth::failing);
}

TEST_CASE("a standby that cannot be had is told of, and holds up nothing") {
  DaemonScene scene(8);
  FakeCa& other = add_second_ca(scene.shop);
  const Time now = scene.shop.world.clock.true_time();
  other.settings.outages.push_back({now, now + 30 * 24h});
  REQUIRE(scene.start());
  scene.run_for(20 * 24h);
  const CertificateStatus status = scene.shop.status();
  CHECK(status.serving == Serving::ok);
  CHECK(status.renewal == RenewalHealth::failing);
  CHECK(status.renew_reason == "its standby: there is no certificate yet");
  CHECK(status.failures == 0);
  CHECK(status.standby->failures > 20);
  CHECK(status.standby->failures < 60);  // the certificate in use lasts: no haste
  int told = 0;
  for (const Event& event : scene.events) {
    if (event.severity != Severity::error) continue;
    CHECK(event.certificate == "shop");
    CHECK(event.series == "standby");
    told += event.message.starts_with("standby: ");
  }
  CHECK(told > 20);
  const std::string log =
      scene.shop.world.files.text(std::string(Shop::state) + "/events/2026-11.jsonl");
  CHECK(log.find("\"series\":\"standby\"") != std::string::npos);
  scene.run_for(11 * 24h);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("what is no longer wanted goes: with the key, and with the certificate") {
  StandbyShop scene(9);
  REQUIRE_FALSE(scene.standby().empty());
  SUBCASE("standby is taken out of the configuration") {
    scene.shop.config.certificates[0].standby = false;
    CHECK(scene.shop.renewed().action == Action::not_due);
    CHECK_FALSE(scene.shop.world.files.exists(series));
    CHECK(scene.shop.status().ok());
    CHECK_FALSE(scene.shop.status().standby);
  }
  SUBCASE("the certificate is: it stays with the orphan until that is forgotten") {
    const CertificateSpec spec = scene.shop.config.certificates[0];
    scene.shop.config.certificates.clear();
    scene.shop.renew();
    CHECK(scene.shop.world.files.exists(series));
    Store store(Shop::state, scene.shop.world.files);
    const std::string tmp = std::string(Shop::state) + "/tmp/";
    for (const char* folder : {"shop.4", "shop+standby.5", "shop.standby.6", "shop2.7"}) {
      scene.shop.world.files.put_directory(tmp + folder);
    }
    scene.shop.world.files.run(store.forget("shop"), [](Result<void> done) { CHECK(done); });
    scene.shop.world.clock.run_for(1s);
    CHECK_FALSE(scene.shop.world.files.exists(std::string(Shop::state) + "/certificates/shop"));
    CHECK(scene.shop.world.files.list(tmp)->size() == 2);
  }
}

TEST_CASE("a standby whose files are damaged is not switched to, and is made anew") {
  StandbyShop scene(10);
  scene.shop.world.files.put(series + "/2/privkey.pem", "garbage", 0600);
  CHECK(scene.shop.renewed(forced("other")).reason == "requested with --force");
  CHECK(scene.other.counters().orders_created == 2);
}
