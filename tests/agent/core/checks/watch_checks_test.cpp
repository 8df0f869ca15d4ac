// What is found on certificates that somebody else renews, for each state they may be in.
#include <doctest/doctest.h>

#include "agent/core/watched.h"
#include "tests/agent/core/checks/check_scene.h"
#include "tests/support/test_issuer.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

struct Scene : CheckScene {
  Scene() {
    WatchSpec& watch = config.watches.emplace_back();
    watch.name = "intranet";
    now = world.clock.now();
    root.emplace(TestIssuer::root("root", now - 24h * 3650, now + 24h * 3650));
    world.tls_probe.trust(root->certificate());
  }

  KeyPair pair_until(Time not_after, const std::string& host = "intranet.test") {
    const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256);
    LeafOptions leaf;
    leaf.identifiers = {{"dns", host}};
    leaf.not_before = not_after - 24h * 365;
    leaf.not_after = not_after;
    const auto parsed = acme::parse_certificate(root->issue(leaf, *key));
    return {acme::to_pem(*parsed), key->to_pem()};
  }
  FakeService& serve(const std::string& address, Time not_after) {
    services.push_back(std::make_unique<FakeService>(address));
    services.back()->install(pair_until(not_after));
    services.back()->reload();
    world.tls_probe.listen(address, 443, "intranet.test", *services.back());
    world.dns.name("intranet.test").addresses.push_back(address);
    return *services.back();
  }
  void watch_endpoint() {
    config.watches.front().endpoints = {
        {"intranet.test:443", "intranet.test", 443, "intranet.test"}};
  }
  Lines lines() { return brief(check(watch_checks(), false)); }

  Time now;
  std::optional<TestIssuer> root;
  std::vector<std::unique_ptr<FakeService>> services;
};

}  // namespace

TEST_CASE("a watched endpoint is told of at the plain days, at each level, and when it is over") {
  struct Case {
    Duration left;
    Lines lines;
    int level;
  };
  const std::vector<Case> cases = {
      {24h * 31, {}, 0},
      {24h * 29, {"EXPIRY_NEAR warning intranet [intranet.test:443]"}, 1},
      {24h * 14, {"EXPIRY_NEAR error intranet [intranet.test:443]"}, 2},
      {24h * 6, {"EXPIRY_NEAR error intranet [intranet.test:443]"}, 3},
      {-1h, {"SERVED_EXPIRED error intranet [intranet.test:443 at 192.0.2.1]"}, 0},
  };
  for (const Case& each : cases) {
    CAPTURE(acme::format_duration(each.left));
    Scene scene;
    scene.watch_endpoint();
    scene.serve("192.0.2.1", scene.now + each.left);
    const auto found = scene.check(watch_checks(), false);
    CHECK(CheckScene::brief(found) == each.lines);
    if (!found.empty()) CHECK(found.front().level == each.level);
  }
}

TEST_CASE("of several addresses each that fails is named, and the one with least left counts") {
  Scene scene;
  scene.watch_endpoint();
  scene.serve("192.0.2.1", scene.now + 24h * 29);
  scene.serve("192.0.2.2", scene.now + 24h * 3);
  scene.serve("192.0.2.3", scene.now + 24h * 90).unreachable = true;
  const auto found = scene.check(watch_checks(), false);
  CHECK(CheckScene::brief(found) ==
        Lines{"EXPIRY_NEAR error intranet [intranet.test:443]",
              "ENDPOINT_UNREACHABLE warning intranet [intranet.test:443 at 192.0.2.3]"});
  CHECK(found.front().level == 3);
}

TEST_CASE("what a watched endpoint serves must validate, or be served at all") {
  Scene scene;
  scene.watch_endpoint();
  CHECK(scene.lines() == Lines{"ENDPOINT_UNREACHABLE warning intranet [intranet.test:443]"});
  scene.serve("192.0.2.1", scene.now + 24h * 90);
  CHECK(scene.lines() == Lines{});
  scene.services.front()->install(scene.pair_until(scene.now + 24h * 90, "other.test"));
  scene.services.front()->reload();
  CHECK(scene.lines() == Lines{"CHAIN_INVALID error intranet [intranet.test:443 at 192.0.2.1]"});
  scene.services.front()->serves_anything = true;
  KeyPair mixed = scene.pair_until(scene.now + 24h * 90);
  mixed.private_key = scene.pair_until(scene.now + 24h * 90).private_key;
  scene.services.front()->install(mixed);
  scene.services.front()->reload();
  CHECK(scene.lines() == Lines{"HANDSHAKE_FAILS error intranet [intranet.test:443 at 192.0.2.1]"});
}

TEST_CASE(
    "a watched file is read with whatever else is in it, through links, and told of likewise") {
  Scene scene;
  scene.config.watches.front().files = {"/etc/ssl/a.pem"};
  CHECK(scene.lines() == Lines{"WATCHED_FILE_MISSING error intranet [/etc/ssl/a.pem]"});
  const KeyPair pair = scene.pair_until(scene.now + 24h * 90);
  scene.world.files.put("/srv/real.pem", pair.private_key + pair.fullchain);
  scene.world.files.put_symlink("../../srv/real.pem", "/etc/ssl/a.pem");
  CHECK(scene.lines() == Lines{});
  scene.world.files.put("/srv/real.pem", scene.pair_until(scene.now + 24h * 10).fullchain);
  CHECK(scene.lines() == Lines{"EXPIRY_NEAR error intranet [/etc/ssl/a.pem]"});
  scene.world.files.put("/srv/real.pem", scene.pair_until(scene.now - 1h).fullchain);
  CHECK(scene.lines() == Lines{"EXPIRED error intranet [/etc/ssl/a.pem]"});
  scene.world.files.put("/srv/real.pem", pair.private_key);
  const auto found = scene.check(watch_checks(), false);
  CHECK(has(only(found).evidence, "it holds a key only"));
}

TEST_CASE("a service that still shows the file of before is told of, once it was renewed") {
  Scene scene;
  scene.watch_endpoint();
  scene.config.watches.front().files = {"/etc/ssl/a.pem"};
  scene.serve("192.0.2.1", scene.now + 24h * 40);
  scene.world.files.put("/etc/ssl/a.pem", scene.services.front()->installed()->fullchain);
  CHECK(scene.lines() == Lines{});
  scene.world.files.put("/etc/ssl/a.pem", scene.pair_until(scene.now + 24h * 90).fullchain);
  CHECK(scene.lines() == Lines{"NOT_SERVED error intranet [intranet.test:443 at 192.0.2.1]"});
}

TEST_CASE("a check of one name looks at that one alone, ours or another's") {
  Scene scene;
  scene.config.watches.front().files = {"/gone.pem"};
  scene.config.watches.push_back(scene.config.watches.front());
  scene.config.watches.back().name = "mail";
  CHECK(CheckScene::brief(scene.check(watch_checks(), false, {"mail"})) ==
        Lines{"WATCHED_FILE_MISSING error mail [/gone.pem]"});
  CHECK(scene.check(watch_checks(), false, {"shop"}).empty());
  CHECK(scene.lines().size() == 2);
}

TEST_CASE("a status shows a watched certificate as near its end from the first threshold on") {
  struct Row {
    Duration left;
    const char* state;
    bool of_use;
  };
  for (const Row& row : {Row{24h * 31, "ok", true}, Row{24h * 29, "near", true},
                         Row{24h * 4, "near", true}, Row{-1h, "expired", false}}) {
    CAPTURE(acme::format_duration(row.left));
    Scene scene;
    scene.watch_endpoint();
    scene.config.watches.front().files = {"/etc/ssl/a.pem"};
    scene.serve("192.0.2.1", scene.now + row.left);
    scene.world.files.put("/etc/ssl/a.pem", scene.services.front()->installed()->fullchain);
    std::vector<WatchedCertificate> places;
    collect_watched(scene.world.world(), scene.config, {},
                    [&](std::vector<WatchedCertificate> found) { places = std::move(found); });
    REQUIRE(scene.world.clock.run_until([&] { return !places.empty(); }));
    REQUIRE(places.size() == 2);
    for (const WatchedCertificate& place : places) {
      CHECK(name_of(place.state) == std::string(row.state));
      CHECK(place.is_of_use() == row.of_use);
    }
  }
}
