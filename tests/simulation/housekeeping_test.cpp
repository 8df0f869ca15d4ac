// What is too old goes, what is no longer configured is still watched, what happened is on disk.
#include <doctest/doctest.h>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

std::string path(const std::string& name) {
  return std::string(Shop::state) + name;
}

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  options.again = true;
  return options;
}

int lines_with(const std::string& text, const std::string& word) {
  int count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("old generations go, the newest and what is in use stay") {
  Shop shop(1);
  shop.config.daemon.keep_generations = 3;
  for (int i = 0; i < 6; ++i) shop.renewed(forced());
  shop.renewed();
  CHECK(shop.world.files.list(path("/certificates/shop"))->front() == "4");
  // A target that cannot be served keeps what it has, however old.
  shop.nginx.broken_configuration = true;
  for (int i = 0; i < 6; ++i) shop.renewed(forced());
  CHECK(shop.world.files.exists(path("/live/shop/fullchain.pem")));
  CHECK(shop.world.files.exists(path("/certificates/shop/6/privkey.pem")));
  CHECK(shop.world.files.exists(path("/certificates/shop/12/privkey.pem")));
  shop.nginx.broken_configuration = false;
  shop.renewed();
  shop.renewed();
  CHECK_FALSE(shop.world.files.exists(path("/certificates/shop/6")));
  CHECK(shop.status().ok());
}

TEST_CASE("a daemon removes old generations without a restart") {
  DaemonScene scene(2);
  scene.shop.config.daemon.keep_generations = 2;
  REQUIRE(scene.start());
  scene.run_for(400 * 24h);
  CHECK(scene.issued() >= 6);
  int generations = 0;
  const auto entries = scene.shop.world.files.list(path("/certificates/shop"));
  REQUIRE(entries.has_value());
  for (const std::string& entry : *entries) {
    if (entry.find('.') == std::string::npos) ++generations;
  }
  CHECK(generations == 2);
}

TEST_CASE("a certificate whose configuration disappears is an orphan until it is forgotten") {
  DaemonScene scene(3);
  scene.shop.add_certificate("other", "other.test");
  REQUIRE(scene.start());
  scene.run_for(1h);
  REQUIRE(scene.issued() == 2);
  scene.kill();
  scene.shop.config.certificates.erase(scene.shop.config.certificates.begin());
  REQUIRE(scene.start());
  scene.run_for(70 * 24h);
  CHECK(scene.count("ORPHAN") >= 70);
  CHECK(scene.events.back().at > Time{});
  std::optional<std::vector<CertificateStatus>> statuses;
  collect_status(scene.shop.world.world(), scene.shop.config, {},
                 [&](std::vector<CertificateStatus> collected) { statuses = collected; });
  REQUIRE(scene.shop.world.clock.run_until([&] { return statuses.has_value(); }));
  REQUIRE(statuses->size() == 2);
  CHECK(statuses->at(0).name == "other");
  CHECK(statuses->at(1).name == "shop");
  CHECK(statuses->at(1).renewal == RenewalHealth::orphan);
  CHECK_FALSE(statuses->at(1).ok());

  const auto forget = [&](const std::string& name) {
    std::optional<Result<void>> forgotten;
    scene.daemon->forget(name, [&](Result<void> outcome) { forgotten = outcome; });
    REQUIRE(scene.shop.world.clock.run_until([&] { return forgotten.has_value(); }));
    return *forgotten ? std::string() : forgotten->error().code;
  };
  CHECK(forget("other") == "STILL_CONFIGURED");
  CHECK(forget("nobody") == "UNKNOWN_CERTIFICATE");
  CHECK(forget("../accounts") == "UNKNOWN_CERTIFICATE");
  CHECK(forget("shop") == "");
  CHECK_FALSE(scene.shop.world.files.exists(path("/certificates/shop")));
  CHECK_FALSE(scene.shop.world.files.read_link(path("/live/shop")).has_value());
  const int before = scene.count("ORPHAN");
  scene.run_for(3 * 24h);
  CHECK(scene.count("ORPHAN") == before);
  CHECK(scene.shop.world.files.exists(path("/live/other/privkey.pem")));
}

TEST_CASE("a certificate that could not be renewed in time is told of, more and more urgently") {
  DaemonScene scene(4);
  REQUIRE(scene.start());
  scene.run_for(50 * 24h);
  CHECK(scene.count("EXPIRY_NEAR") == 0);
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.outages.push_back({now, now + 365 * 24h});
  scene.run_for(38 * 24h);
  const int told = scene.count("EXPIRY_NEAR");
  CHECK(told >= 20);
  CHECK(told <= 32);
  CHECK(scene.count("EXPIRED") == 0);
  scene.run_for(5 * 24h);
  CHECK(scene.count("EXPIRED") >= 3);
  // A restart does not make it say everything again.
  const int expired = scene.count("EXPIRED");
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(30min);
  CHECK(scene.count("EXPIRED") <= expired + 1);
}

TEST_CASE("what happened is on the disk, month by month, and goes when it is old") {
  DaemonScene scene(5);
  scene.shop.config.daemon.keep_events = 60 * 24h;
  REQUIRE(scene.start());
  scene.run_for(10 * 24h);
  const std::string november = path("/events/2026-11.jsonl");
  const std::string text = scene.shop.world.files.text(november);
  CHECK(lines_with(text, "\"CERTIFICATE_ISSUED\"") == 1);
  CHECK(lines_with(text, "\"CALL\"") == 0);
  CHECK(text.find("{\"at\":\"2026-11-23T09:00:0") != std::string::npos);
  scene.run_for(30 * 24h);
  CHECK(scene.shop.world.files.exists(november));
  scene.run_for(70 * 24h);
  CHECK(scene.shop.world.files.exists(path("/events/2027-01.jsonl")));
  CHECK_FALSE(scene.shop.world.files.exists(november));
}

TEST_CASE("a command has its events on the disk when it ends") {
  Shop shop(6);
  shop.renewed();
  const std::string text = shop.world.files.text(path("/events/2026-11.jsonl"));
  CHECK(lines_with(text, "\"CERTIFICATE_ISSUED\"") == 1);
  shop.renewed(forced());
  CHECK(lines_with(shop.world.files.text(path("/events/2026-11.jsonl")),
                   "\"CERTIFICATE_ISSUED\"") == 2);
}

TEST_CASE("a power failure tears at most the last lines, and new ones can be read after it") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Shop shop(seed);
    shop.renew_and_die(40 + seed, Shop::Death::power_failure);
    shop.renewed();
    const std::string text = shop.world.files.text(path("/events/2026-11.jsonl"));
    CHECK(lines_with(text, "\n{\"at\":") >= 3);
    CHECK(lines_with(text, "\n{\"at\":") == lines_with(text, "{\"at\":"));
  }
}

TEST_CASE("a disk that refuses the events is told of once it takes them again") {
  Shop shop(7);
  shop.renewed();
  EventStream events(shop.world.clock);
  const Store store(Shop::state, shop.world.files);
  EventLog log(shop.world.world(), store);
  events.add_reader(log.reader());
  shop.world.files.set_disk_full(true);
  for (int i = 0; i < 3000; ++i) {
    events.emit(Severity::info, "shop", "NOISE", std::to_string(i));
    shop.world.clock.run_for(10ms);
  }
  shop.world.files.set_disk_full(false);
  for (int i = 0; i < 3; ++i) {
    events.emit(Severity::info, "shop", "AFTER", "");
    shop.world.clock.run_for(61s);
  }
  const std::string text = shop.world.files.text(path("/events/2026-11.jsonl"));
  CHECK(lines_with(text, "\"EVENTS_LOST\"") == 1);
  CHECK(lines_with(text, "\"AFTER\"") >= 1);
}
