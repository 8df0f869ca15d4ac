// The daemon over months of virtual time: it renews by itself, sleeps in between, and is not
// confused by locks, clocks and ends.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

std::string heartbeat(const DaemonScene& scene) {
  return scene.shop.world.files.text(std::string(Shop::state) + "/heartbeat");
}

}  // namespace

TEST_CASE("a daemon obtains what is missing and renews it at its point, again and again") {
  DaemonScene scene(1);
  REQUIRE(scene.start());
  scene.run_for(1min);
  CHECK(scene.issued() == 1);
  // The CA's window opens two thirds in, and is two days wide.
  for (int day = 0; day < 250; day += 5) {
    CAPTURE(day);
    CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
    CHECK(scene.issued() >= 1 + (day - 5) / 62);
    CHECK(scene.issued() <= 1 + day / 60);
    scene.run_for(5 * 24h);
  }
  CHECK(scene.count("SERVED_DIFFERS") == 0);
}

TEST_CASE("lifetimes from minutes to a year are all renewed in time") {
  for (const Duration lifetime : {Duration(20min), Duration(6 * 24h), Duration(398 * 24h)}) {
    CAPTURE(lifetime.count());
    FakeCaSettings settings;
    settings.certificate_lifetime = lifetime;
    settings.backdate = 0s;
    DaemonScene scene(2, settings);
    scene.shop.config.daemon.check_interval = lifetime / 5;
    REQUIRE(scene.start());
    scene.run_for(2min);
    for (int step = 0; step < 60; ++step) {
      scene.run_for(lifetime / 10);
      CHECK(scene.remaining() > lifetime / 6 - 2min);
    }
    CHECK(scene.issued() >= 8);
    CHECK(scene.issued() <= 30);
  }
}

TEST_CASE("an idle daemon wakes for its heartbeat and its looks alone") {
  DaemonScene scene(3);
  scene.shop.config.certificates[0].endpoints = std::vector<Endpoint>{};
  REQUIRE(scene.start());
  scene.run_for(25h);
  const auto operations = scene.shop.world.files.total_operations();
  const auto requests = scene.shop.ca.counters().requests;
  scene.run_for(24h);
  // The heartbeat: three operations every five minutes. The CA's advice: four polls a day, of
  // which none is saved, for none says anything new.
  CHECK(scene.shop.world.files.total_operations() - operations <= 24 * 12 * 3 + 6);
  CHECK(scene.shop.ca.counters().requests - requests >= 3);
  CHECK(scene.shop.ca.counters().requests - requests <= 7);  // the directory and the list, too
}

TEST_CASE("an outage of twelve days is outlived, and was spoken of every day") {
  DaemonScene scene(4);
  REQUIRE(scene.start());
  scene.run_for(59 * 24h);
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.outages.push_back({now, now + 12 * 24h});
  const std::size_t before = scene.events.size();
  scene.run_for(12 * 24h);
  CHECK(scene.issued() == 1);
  int days = 0;
  for (int day = 2; day < 12; ++day) {
    days += std::any_of(scene.events.begin() + static_cast<std::ptrdiff_t>(before),
                        scene.events.end(), [&](const Event& event) {
                          return event.severity == Severity::error && event.at >= now + day * 24h &&
                                 event.at < now + (day + 1) * 24h;
                        });
  }
  CHECK(days >= 8);  // the CA's window opens a day or two later
  scene.run_for(16h);
  CHECK(scene.issued() == 2);
}

TEST_CASE("a daemon that is asked to stop ends in the middle of an order, the next goes on") {
  FakeCaSettings settings;
  settings.processing_delay = 5min;
  settings.reuse_orders = false;
  DaemonScene scene(5, settings);
  REQUIRE(scene.start());
  scene.run_for(30s);
  REQUIRE(scene.shop.ca.counters().orders_created == 1);
  REQUIRE(scene.issued() == 0);
  bool stopped = false;
  const Time asked = scene.shop.world.clock.now();
  scene.daemon->stop(10s, [&] { stopped = true; });
  CHECK(scene.shop.world.clock.run_until([&] { return stopped; }));
  CHECK(scene.shop.world.clock.now() - asked <= 10s);
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(15min);
  CHECK(scene.issued() == 1);
  CHECK(scene.shop.ca.counters().orders_created == 1);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("an idle daemon stops at once, and then it never wakes again") {
  DaemonScene scene(6);
  REQUIRE(scene.start());
  scene.run_for(2h);
  bool stopped = false;
  const Time asked = scene.shop.world.clock.now();
  scene.daemon->stop(10s, [&] { stopped = true; });
  CHECK(scene.shop.world.clock.run_until([&] { return stopped; }));
  CHECK(scene.shop.world.clock.now() == asked);
  const auto requests = scene.shop.ca.counters().requests;
  scene.run_for(100 * 24h);
  CHECK(scene.shop.ca.counters().requests == requests);
}

TEST_CASE("stopping begins none of the certificates that still wait for their turn") {
  DaemonScene scene(7);
  scene.shop.config.daemon.orders_parallel = 1;
  for (int i = 0; i < 5; ++i) {
    scene.shop.add_certificate("more" + std::to_string(i), "more" + std::to_string(i) + ".test");
  }
  REQUIRE(scene.start());
  bool stopped = false;
  scene.shop.world.clock.run_until([&] { return scene.count("ISSUANCE_STARTED") == 1; });
  scene.daemon->renew({}, [](const std::vector<CertificateOutcome>&) {});
  scene.daemon->stop(1h, [&] { stopped = true; });
  CHECK(scene.shop.world.clock.run_until([&] { return stopped; }, 59min));
  CHECK(scene.count("ISSUANCE_STARTED") == 1);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a lock that somebody holds is waited for, and named once") {
  DaemonScene scene(8);
  scene.shop.world.files.put_directory(Shop::state);
  scene.shop.world.files.hold_lock(std::string(Shop::state) + "/lock", "nolapse renew (pid 7)");
  CHECK_FALSE(scene.start());
  CHECK(scene.count("LOCK_HELD") == 1);
  CHECK(scene.events.back().message.find("pid 7") != std::string::npos);
  scene.shop.world.files.release_lock(std::string(Shop::state) + "/lock");
  scene.run_for(1min);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a clock that is set forward and back leaves no certificate behind") {
  DaemonScene scene(9);
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.shop.world.clock.step_wall_clock(200 * 24h);
  scene.run_for(6min);
  CHECK(scene.count("CLOCK_STEPPED") == 1);
  scene.run_for(1h);
  scene.shop.world.clock.step_wall_clock(-200 * 24h);
  scene.run_for(6min);
  CHECK(scene.count("CLOCK_STEPPED") == 2);
  // Whatever the wrong clock made it do, it is over within a day, and later renewals come in time.
  for (int day = 0; day < 150; ++day) {
    scene.run_for(24h);
    CHECK(scene.remaining() > 20 * 24h);
  }
  CHECK(scene.shop.status().ok());
}

TEST_CASE("a clock that is set ten days forward is noticed within a second") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 15 * 24h;
  settings.renewal_info = false;
  DaemonScene scene(17, settings);
  REQUIRE(scene.start());
  scene.run_for(30min);
  scene.shop.world.clock.step_wall_clock(10 * 24h + 12h);
  CHECK(scene.run_until_event("CLOCK_STEPPED", 1s));
  CHECK(scene.events.back().message.find("10d 12h forward") != std::string::npos);
  scene.run_for(1min);
  CHECK(scene.count("CLOCK_AHEAD") == 1);
}

TEST_CASE("a clock that is set forward between two attempts earns no more of them") {
  DaemonScene scene(19);
  scene.shop.config.cas[0].rate_limits = RateLimits{};
  scene.shop.world.dns.public_name("shop.test").addresses = {"192.0.2.99"};
  REQUIRE(scene.start());
  const int capacity = 5;
  for (int i = 0; i < 4; ++i) {
    scene.run_for(8min);
    scene.shop.world.clock.step_wall_clock(50min);
  }
  const auto refused = scene.shop.ca.counters().failed_validations;
  CHECK(refused >= 3);
  // One comes back in twelve minutes, and the last is left to a person.
  CHECK(refused <= capacity - 1 + 32 / 12);
}

TEST_CASE("steps too small to matter are told of once they add up") {
  DaemonScene scene(18);
  REQUIRE(scene.start());
  scene.shop.world.clock.step_wall_clock(40s);
  scene.run_for(1h);
  CHECK(scene.count("CLOCK_STEPPED") == 0);
  scene.shop.world.clock.step_wall_clock(40s);
  scene.run_for(1s);
  CHECK(scene.count("CLOCK_STEPPED") == 1);
}

TEST_CASE("a failure noted by a clock that ran ahead does not hold up the right time") {
  DaemonScene scene(10);
  scene.shop.world.clock.step_wall_clock(5 * 365 * 24h);
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.outages.push_back({now, now + 10min});
  REQUIRE(scene.start());
  scene.run_for(5min);
  REQUIRE(scene.issued() == 0);
  scene.shop.world.clock.step_wall_clock(-5 * 365 * 24h);
  scene.run_for(30min);
  CHECK(scene.issued() == 1);
}

TEST_CASE("the heartbeat follows the time, and a disk that refuses it is reported") {
  DaemonScene scene(11);
  REQUIRE(scene.start());
  CHECK(heartbeat(scene) == acme::format_rfc3339(scene.shop.world.clock.now()) + "\n");
  scene.run_for(24h);
  const std::string before = heartbeat(scene);
  scene.shop.world.files.set_disk_full(true);
  scene.run_for(16min);
  CHECK(heartbeat(scene) == before);
  CHECK(scene.count("HEARTBEAT_FAILED") >= 3);
  scene.shop.world.files.set_disk_full(false);
  scene.run_for(6min);
  CHECK(heartbeat(scene) > before);
}

TEST_CASE("a renewal for a person is done at once and moves the daemon's own") {
  DaemonScene scene(12);
  REQUIRE(scene.start());
  scene.run_for(30 * 24h);
  RenewOptions force;
  force.force = true;
  std::optional<std::vector<CertificateOutcome>> outcomes;
  scene.daemon->renew(force, [&](std::vector<CertificateOutcome> done) { outcomes = done; });
  CHECK(scene.shop.world.clock.run_until([&] { return outcomes.has_value(); }, 1min));
  CHECK(outcomes->front().action == CertificateOutcome::Action::renewed);
  CHECK(scene.issued() == 2);
  scene.run_for(55 * 24h);
  CHECK(scene.issued() == 2);
  scene.run_for(10 * 24h);
  CHECK(scene.issued() == 3);
}

TEST_CASE("a clock that runs ahead of the CA's orders nothing, and is named") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 6 * 24h;
  DaemonScene scene(13, settings);
  scene.shop.config.cas[0].rate_limits = RateLimits::none();
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.shop.world.clock.step_wall_clock(9 * 24h);
  scene.run_for(2 * 24h);
  CHECK(scene.issued() == 1);
  CHECK(scene.count("CLOCK_AHEAD") >= 2);
  // By the CA's time it is due now, whatever ours says: what is issued is kept, once.
  scene.run_for(2 * 24h);
  CHECK(scene.issued() == 2);
  scene.shop.world.clock.step_wall_clock(-9 * 24h);
  scene.run_for(24h);
  CHECK(scene.shop.status().serving == Serving::ok);
  CHECK(scene.issued() <= 3);
}

TEST_CASE("a first certificate is obtained under a clock that runs ahead") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 6 * 24h;
  DaemonScene scene(14, settings);
  scene.shop.world.clock.step_wall_clock(9 * 24h);
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(scene.issued() == 1);
}

TEST_CASE("a clock that is behind the CA's does not let a certificate lapse") {
  DaemonScene scene(15);
  REQUIRE(scene.start());
  scene.run_for(40 * 24h);
  scene.shop.world.clock.step_wall_clock(-35 * 24h);
  const Time expiry = scene.shop.status().generation->leaf().not_after;
  scene.run_for(25 * 24h);
  CHECK(scene.issued() == 2);
  CHECK(scene.shop.world.clock.true_time() < expiry);
  CHECK(scene.count("CLOCK_BEHIND") >= 1);
}

TEST_CASE("a full disk makes the daemon wait as any other failure does") {
  DaemonScene scene(16);
  REQUIRE(scene.start());
  scene.run_for(59 * 24h);
  scene.shop.world.files.set_disk_full(true);
  const int requests = scene.shop.ca.counters().requests;
  scene.run_for(10 * 24h);
  CHECK(scene.count("DISK_FULL") > 10);
  CHECK(scene.count("ISSUANCE_STARTED") < 1 + 40);
  CHECK(scene.shop.ca.counters().requests - requests < 10 * 12);
  scene.shop.world.files.set_disk_full(false);
  scene.run_for(16h);
  CHECK(scene.issued() == 2);
}
