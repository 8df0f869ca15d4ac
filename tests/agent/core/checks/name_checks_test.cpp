// Names without addresses, with broken signatures, and with CAA records of all kinds.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

struct Scene : CheckScene {
  Scene() : zone(world.dns.add_zone("shop.test", "192.0.2.53")) {
    add_certificate("shop", "shop.test");
  }
  CertificateSpec& shop() { return config.certificates.front(); }
  Lines lines(bool deep = true) { return brief(check(name_checks(), deep)); }
  void add_caa(const std::string& name, const std::string& value) {
    zone.records.push_back({name, DnsType::caa, value});
  }
  FakeDns::Zone& zone;
};

}  // namespace

TEST_CASE("names that are as they should be give no finding") {
  CHECK(Scene().lines() == Lines{});
}

TEST_CASE("a name that is proved by a connection needs an address, a second choice less so") {
  Scene scene;
  scene.world.dns.name("shop.test").addresses.clear();
  CHECK(scene.lines(false) == Lines{"NAME_NOT_FOUND error shop [shop.test]"});
  scene.add_challenge("zone", "dns-01");
  scene.shop().challenges = {"zone", "web"};
  CHECK(scene.lines(false) == Lines{"NAME_NOT_FOUND warning shop [shop.test]"});
  scene.shop().challenges = {"zone"};
  CHECK(scene.lines(false) == Lines{});
}

TEST_CASE("an endpoint's name needs an address whatever proves the certificate") {
  Scene scene;
  scene.add_challenge("zone", "dns-01");
  scene.shop().challenges = {"zone"};
  scene.shop().endpoints = {{Endpoint{"mail.test:25!smtp", "mail.test", 25, "mail.test", "smtp"}}};
  const auto found = scene.check(name_checks(), false);
  CHECK(CheckScene::brief(found) == Lines{"NAME_NOT_FOUND error shop [mail.test]"});
  has(only(found).summary, "endpoint mail.test:25!smtp");
}

TEST_CASE("addresses and wildcards are not looked up") {
  Scene scene;
  scene.shop().domains = {{"ip", "192.0.2.10"}, {"dns", "*.nowhere.test"}};
  CHECK(scene.lines(false) == Lines{});
}

TEST_CASE("a look-up that fails is told of, one that fails once is not") {
  for (const auto fault : {FakeDns::Fault::server_failure, FakeDns::Fault::no_answer}) {
    Scene scene;
    FakeDns::Name& name = scene.world.dns.name("shop.test");
    name.fault = fault;
    CHECK(scene.lines(false) == Lines{"NAME_LOOKUP_FAILED error shop [shop.test]"});
    scene.world.clock.start_timer(1s, [&] { name.fault = FakeDns::Fault::none; });
    if (fault == FakeDns::Fault::server_failure) CHECK(scene.lines(false) == Lines{});
  }
}

TEST_CASE("signatures that do not hold are told from a name server that fails") {
  Scene scene;
  scene.zone.bogus = true;
  scene.shop().domains.push_back({"dns", "*.shop.test"});
  auto found = scene.check(name_checks());
  CHECK(the(found, "DNSSEC_BOGUS").severity == FindingSeverity::error);
  CHECK(the(found, "DNSSEC_BOGUS").subject == "shop.test");
  scene.zone.bogus = false;
  scene.zone.servers.front().fault = FakeDns::Fault::server_failure;
  CHECK(scene.lines() ==
        Lines{"CAA_LOOKUP_FAILED error shop [CA ca]", "DNSSEC_BOGUS unknown shop [shop.test]"});
}

TEST_CASE("CAA: each way in which a record forbids it, and none that allows it") {
  struct Row {
    const char* record;
    const char* told;  // nothing: it is allowed
  };
  const std::vector<Row> rows = {
      {"0 issue ca.test", nullptr},
      {"0 issue ;", "CAA at shop.test"},
      {"0 issue other.test", "other.test"},
      {"0 issue ca.test; accounturi=https://ca.test/account/other", "another account"},
      {"0 issue ca.test; validationmethods=dns-01", "does not allow http-01"},
      {"0 issue ca.test; validationmethods=http-01", nullptr},
      {"128 tbs unknown", "critical"},
      {"0 tbs unknown", nullptr},
      {"0 issuewild other.test", nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.record);
    Scene scene;
    scene.add_caa("shop.test", row.record);
    const auto found = scene.check(name_checks());
    if (row.told == nullptr) {
      CHECK(CheckScene::brief(found) == Lines{});
      continue;
    }
    CHECK(CheckScene::brief(found) == Lines{"CAA_FORBIDS_CA error shop [CA ca]"});
    has(only(found).evidence, row.told);
  }
}

TEST_CASE("CAA: the account that there is may be the one that the record names") {
  Scene scene;
  scene.renew();
  const std::string url = scene.store().load_account("ca")->value().url;
  scene.add_caa("shop.test", "0 issue ca.test; accounturi=" + url);
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("CAA: what forbids a fallback, or a second choice of a challenge, is a warning") {
  Scene scene;
  scene.add_ca("other");
  scene.shop().cas = {"ca", "other"};
  scene.add_caa("shop.test", "0 issue ca.test");
  auto found = scene.check(name_checks());
  CHECK(CheckScene::brief(found) == Lines{"CAA_FORBIDS_CA warning shop [CA other]"});
  has(only(found).summary, "other (a fallback)");

  Scene second;
  second.add_challenge("zone", "dns-01");
  second.add_caa("shop.test", "0 issue ca.test; validationmethods=http-01");
  second.shop().challenges = {"web", "zone"};
  CHECK(second.lines() == Lines{"CAA_FORBIDS_CA warning shop [CA ca]"});
  second.shop().challenges = {"zone", "web"};
  CHECK(second.lines() == Lines{"CAA_FORBIDS_CA error shop [CA ca]"});
}

TEST_CASE("CAA: where the CA cannot be asked for its names nobody knows") {
  Scene scene;
  scene.world.http.route("https://ca.test").fault = FakeHttp::Fault::refused;
  CHECK(scene.lines() == Lines{"CAA_FORBIDS_CA unknown  [CA ca]"});
}
