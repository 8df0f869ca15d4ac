// Certificates that a person has revoked: whoever may sign does, and what is revoked is replaced.
#include <doctest/doctest.h>

#include "tests/simulation/command_process.h"
#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using acme::HttpRequest;
using acme::HttpResponse;

namespace {

int revoked_at(const FakeCa& ca) {
  int count = 0;
  for (const auto& [id, certificate] : ca.certificates()) count += certificate.revoked.has_value();
  return count;
}

int reason_at(const FakeCa& ca) {
  return ca.certificates().begin()->second.revocation_reason;
}

std::string key_of(const Shop& shop, int generation) {
  return shop.world.files.text(std::string(Shop::state) + "/certificates/shop/" +
                               std::to_string(generation) + "/privkey.pem");
}

}  // namespace

TEST_CASE("what a person has revoked is replaced by the next renewal [RFC 8555 §7.6]") {
  Shop shop(401);
  shop.renewed();
  const auto outcome = *revoke(shop, {"shop", {}, 4});
  REQUIRE(outcome.has_value());
  CHECK(outcome->generation.number == 1);
  CHECK(outcome->reason == "superseded");
  CHECK(outcome->due);
  CHECK_FALSE(outcome->by_certificate_key);
  CHECK(revoked_at(shop.ca) == 1);
  CHECK(reason_at(shop.ca) == 4);
  CHECK(shop.status().renew_reason == "the CA has revoked it (superseded)");
  const CertificateOutcome renewed = shop.renewed();
  CHECK(renewed.issued);
  CHECK(renewed.reason == "the CA has revoked it (superseded)");
  CHECK(shop.fingerprint_served() == renewed.generation->leaf().fingerprint_sha256);
  CHECK_FALSE(shop.renewed().issued);
}

TEST_CASE("a compromised key is replaced with the certificate, in spite of reuse_key") {
  for (const int reason : {1, 4}) {
    CAPTURE(reason);
    Shop shop(402);
    shop.config.certificates[0].reuse_key = true;
    shop.renewed();
    REQUIRE(revoke(shop, {"shop", {}, reason})->has_value());
    REQUIRE(shop.renewed().issued);
    CHECK((key_of(shop, 1) == key_of(shop, 2)) == (reason != 1));
  }
}

TEST_CASE("what the account may not revoke, its own key may, and no account is made") {
  const std::string account = std::string(Shop::state) + "/accounts/ca/";
  const auto another_account = [&](Shop& shop) {
    for (const char* file : {"account.json", "key.pem"}) shop.world.files.erase(account + file);
  };
  struct Row {
    const char* what;
    int accounts;
    std::function<void(Shop&)> before;
  };
  const Row rows[] = {
      {"no account", 1, another_account},
      {"another account", 2,
       [&](Shop& shop) {
         another_account(shop);
         shop.add_certificate("more", "more.test");
         RenewOptions more;
         more.names = {"more"};
         shop.renewed(more);
       }},
      {"a deactivated one", 1,
       [](Shop& shop) { work_on_account(shop, AccountAction::deactivate); }},
      {"one that the CA has forgotten", 1,
       [](Shop& shop) {
         shop.ca.settings.instead = [times = 0](
                                        CaEndpoint endpoint,
                                        const HttpRequest&) mutable -> std::optional<HttpResponse> {
           if (endpoint != CaEndpoint::revoke_certificate || times++ > 0) return {};
           return HttpResponse{
               400, {}, R"({"type":"urn:ietf:params:acme:error:accountDoesNotExist"})"};
         };
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Shop shop(403);
    shop.renewed();
    row.before(shop);
    const auto outcome = *revoke(shop, {"shop", {}, 0});
    REQUIRE(outcome.has_value());
    CHECK(outcome->by_certificate_key);
    CHECK(outcome->reason == "keyCompromise");
    CHECK(revoked_at(shop.ca) == 1);
    CHECK(shop.ca.counters().accounts_created == row.accounts);
  }
}

TEST_CASE("revoking is done once it is done: lost replies and deaths need only another try") {
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (std::uint64_t at = 1;; ++at) {
      CAPTURE(at);
      Shop shop(at);
      shop.renewed();
      const bool ended = revoke(shop, {"shop", {}, 4}, {at, 0, death}).has_value();
      const auto again = *revoke(shop, {"shop", 1, 4});
      REQUIRE(again.has_value());
      CHECK(shop.renewed().issued);
      CHECK(shop.ca.counters().certificates_issued == 2);
      CHECK(shop.violation() == "");
      if (ended) break;
    }
  }
  Shop shop(404);
  shop.renewed();
  shop.ca.lose_reply(CaEndpoint::revoke_certificate);
  CHECK_FALSE(revoke(shop, {"shop", {}, 1})->has_value());
  const auto again = *revoke(shop, {"shop", {}, 1});
  REQUIRE(again.has_value());
  CHECK(again->revoked_before);
  CHECK(shop.renewed().issued);
}

TEST_CASE("what cannot be revoked is refused with the reason, and nothing is noted") {
  Shop shop(405);
  CHECK(revoke(shop, {"shop", {}, 0})->error().code == "NO_CERTIFICATE");
  shop.renewed();
  CHECK(revoke(shop, {"nobody", {}, 0})->error().code == "UNKNOWN_CERTIFICATE");
  CHECK(revoke(shop, {"../accounts", {}, 0})->error().code == "UNKNOWN_CERTIFICATE");
  CHECK(revoke(shop, {"shop", 2, 0})->error().code == "UNKNOWN_GENERATION");
  const Error refused = revoke(shop, {"shop", {}, 7})->error();
  CHECK(refused.code == "CA_BAD_REVOCATION_REASON");
  CHECK(refused.message.find("cessationOfOperation") != std::string::npos);
  CHECK(revoked_at(shop.ca) == 0);
  CHECK_FALSE(shop.renewed().issued);
  shop.config.cas[0].directory += "-2";
  CHECK(revoke(shop, {"shop", {}, 0})->error().code == "UNKNOWN_CA");
}

TEST_CASE("an old generation is revoked when it is named, and makes nothing due") {
  Shop shop(406);
  shop.renewed();
  RenewOptions force;
  force.force = true;
  shop.renewed(force);
  const auto outcome = *revoke(shop, {"shop", 1, 0});
  REQUIRE(outcome.has_value());
  CHECK_FALSE(outcome->due);
  CHECK(revoked_at(shop.ca) == 1);
  CHECK_FALSE(shop.renewed().issued);
  // It does not make us forget that the newest is revoked.
  REQUIRE(revoke(shop, {"shop", {}, 0})->has_value());
  REQUIRE(revoke(shop, {"shop", 1, 0})->has_value());
  CHECK(shop.renewed().issued);
}

TEST_CASE("the daemon replaces what a person has revoked at once") {
  DaemonScene scene(407);
  REQUIRE(scene.start());
  scene.run_for(24h);
  std::optional<Result<RevocationOutcome>> outcome;
  scene.daemon->revoke({"shop", {}, 1},
                       [&](Result<RevocationOutcome> result) { outcome = std::move(result); });
  scene.run_for(1min);
  REQUIRE(outcome.has_value());
  REQUIRE(outcome->has_value());
  CHECK(scene.issued() == 2);
  CHECK(scene.count("REVOKED") == 1);
  CHECK(scene.shop.status().ok());
  CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
}

TEST_CASE("back-off does not hold up what replaces a revoked certificate") {
  DaemonScene scene(408);
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.shop.ca.settings.instead = [](CaEndpoint endpoint,
                                      const HttpRequest&) -> std::optional<HttpResponse> {
    if (endpoint != CaEndpoint::new_order) return {};
    return HttpResponse{500, {}, ""};
  };
  RenewOptions force;
  force.force = true;
  scene.daemon->renew(force, [](const std::vector<CertificateOutcome>&) {});
  scene.run_for(20h);
  scene.shop.ca.settings.instead = nullptr;
  scene.daemon->revoke({"shop", {}, 1}, [](const Result<RevocationOutcome>&) {});
  scene.run_for(1min);
  CHECK(scene.issued() == 2);
}
