// What a visit at the CA finds, for each way in which it may be wrong.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

struct Scene : CheckScene {
  Scene() { add_certificate("shop", "shop.test"); }
  Lines lines(bool deep = true) { return brief(check(ca_checks(), deep)); }
  const std::string key = "/var/lib/nolapse/accounts/ca/key.pem";
  const std::string account = "/var/lib/nolapse/accounts/ca/account.json";
};

void refuse_accounts(FakeCa& ca, const std::string& type) {
  ca.settings.instead = [type](CaEndpoint endpoint, const acme::HttpRequest&) {
    std::optional<acme::HttpResponse> reply;
    if (endpoint == CaEndpoint::new_account) {
      reply = acme::HttpResponse{
          type == "unauthorized" ? 403 : 400,
          {{"Content-Type", "application/problem+json"}},
          R"({"type":"urn:ietf:params:acme:error:)" + type + R"(","detail":"no"})"};
    }
    return reply;
  };
}

}  // namespace

TEST_CASE("a CA that is as it should be gives no finding, before the first account and after") {
  Scene scene;
  CHECK(scene.lines() == Lines{});
  CHECK_FALSE(scene.world.files.status(scene.key));
  scene.renew();
  CHECK(scene.lines() == Lines{});
  CHECK(scene.ca->counters().by_endpoint.at(CaEndpoint::new_order) == 1);
}

TEST_CASE("a CA that cannot be reached or trusted: whether another one is left is said") {
  Scene scene;
  scene.world.http.route("https://ca.test").fault = FakeHttp::Fault::refused;
  auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"CA_UNREACHABLE error  [CA ca]"});
  has(only(found).summary, "shop can be issued by no other CA");
  has(only(found).evidence, "connection refused");

  scene.add_ca("other");
  scene.config.certificates.front().cas = {"ca", "other"};
  scene.world.http.route("https://ca.test").fault = FakeHttp::Fault::bad_certificate;
  found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"CA_TLS error  [CA ca]"});
  has(only(found).summary, "other is left to ask");
}

TEST_CASE("a fallback is looked at as well, and said to be one") {
  Scene scene;
  scene.add_ca("other");
  scene.config.certificates.front().cas = {"ca", "other"};
  CHECK(scene.lines() == Lines{});
  scene.world.http.route("https://other.test").fault = FakeHttp::Fault::no_answer;
  const auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"CA_UNREACHABLE warning  [CA other]"});
  has(only(found).summary, "other (a fallback): ");
  has(only(found).summary, "ca is left to ask");
}

TEST_CASE("what answers but is no CA is not taken for one") {
  Scene scene;
  scene.ca->settings.instead = [](CaEndpoint, const acme::HttpRequest&) {
    return acme::HttpResponse{200, {}, "<html>It works!</html>"};
  };
  CHECK(scene.lines() == Lines{"CA_UNREACHABLE error  [CA ca]"});
}

TEST_CASE("the clock: a minute is a warning, five are an error, in both directions") {
  const auto with = [](Duration step) {
    Scene scene;
    scene.world.clock.step_wall_clock(step);
    return scene.lines();
  };
  CHECK(with(55s) == Lines{});
  CHECK(with(65s) == Lines{"CLOCK_WRONG warning  [CA ca]"});
  CHECK(with(-65s) == Lines{"CLOCK_WRONG warning  [CA ca]"});
  CHECK(with(-10min) == Lines{"CLOCK_WRONG error  [CA ca]"});
  Scene undated;
  undated.world.http.dated = false;
  CHECK(undated.lines() == Lines{"CLOCK_WRONG unknown  [CA ca]"});
}

TEST_CASE("other terms than agreed to are told of until they are agreed to") {
  Scene scene;
  scene.renew();
  scene.ca->settings.alter = [](CaEndpoint endpoint, acme::HttpResponse& reply) {
    if (endpoint != CaEndpoint::directory) return;
    auto directory = *acme::parse_object(reply.body, "directory");
    directory["meta"]["termsOfService"] = "https://ca.test/terms/2";
    reply.body = directory.dump();
  };
  const auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"TERMS_CHANGED warning  [CA ca]"});
  has(only(found).evidence, "now: https://ca.test/terms/2");
  has(only(found).fix, "nolapse account update --ca ca");
  scene.update_account("ca");
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("where nobody remembers what was agreed to nothing is said about it") {
  Scene scene;
  scene.renew();
  auto account = *acme::parse_object(*scene.world.files.read(scene.account), "account");
  CHECK(account.at("agreed_terms") != "");
  account.erase("agreed_terms");
  scene.world.files.put(scene.account, account.dump());
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("an account that the CA refuses or has forgotten") {
  for (const char* type : {"unauthorized", "accountDoesNotExist"}) {
    CAPTURE(type);
    Scene scene;
    scene.renew();
    refuse_accounts(*scene.ca, type);
    CHECK(scene.lines() == Lines{"ACCOUNT_INVALID error  [CA ca]"});
  }
}

TEST_CASE("an account whose registration did not come through is no finding") {
  Scene scene;
  scene.renew();
  scene.world.files.erase(scene.account);
  for (const char* tree : {"/var/lib/nolapse/certificates", "/var/lib/nolapse/live"}) {
    scene.world.files.erase(tree);
  }
  refuse_accounts(*scene.ca, "accountDoesNotExist");
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("a key that belongs to another account is told from the right one") {
  Scene scene;
  scene.renew();
  auto account = *acme::parse_object(*scene.world.files.read(scene.account), "account");
  account["url"] = "https://ca.test/account/elsewhere";
  scene.world.files.put(scene.account, account.dump());
  const auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"ACCOUNT_INVALID error  [CA ca]"});
  has(only(found).evidence, "https://ca.test/account/elsewhere");
}

TEST_CASE("an account that was ended here") {
  Scene scene;
  scene.renew();
  auto account = *acme::parse_object(*scene.world.files.read(scene.account), "account");
  account["deactivated"] = true;
  scene.world.files.put(scene.account, account.dump());
  const auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"ACCOUNT_INVALID error  [CA ca]"});
  has(only(found).summary, "the account is deactivated");
}

TEST_CASE("a key that is gone, damaged, or was never there") {
  Scene scene;
  CHECK(scene.lines(false) == Lines{});
  scene.renew();
  CHECK(scene.lines(false) == Lines{});
  const std::string pem = *scene.world.files.read(scene.key);
  scene.world.files.put(scene.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n");
  CHECK(scene.lines(false) == Lines{"ACCOUNT_KEY_MISSING error  [CA ca]"});
  scene.world.files.erase(scene.key);
  CHECK(scene.lines(false) == Lines{"ACCOUNT_KEY_MISSING error  [CA ca]"});
  // Another CA by that name has issued nothing yet.
  scene.config.cas.front().directory = "https://elsewhere.test/directory";
  CHECK(scene.lines(false) == Lines{});
}

TEST_CASE("an external account that is wanted and not there; one whose key is no key") {
  Scene scene;
  scene.ca->settings.external_account_required = true;
  CHECK(scene.lines() == Lines{"EAB_MISSING error  [CA ca]"});
  CaConfig& ca = scene.config.cas.front();
  ca.eab_key_id = "kid";
  ca.eab_hmac_key_file = "/etc/nolapse/eab";
  CHECK(scene.lines() == Lines{"EAB_MISSING error  [CA ca]"});
  scene.world.files.put(ca.eab_hmac_key_file, "!!\n");
  CHECK(scene.lines() == Lines{"EAB_MISSING error  [CA ca]"});
  scene.world.files.put(ca.eab_hmac_key_file, "c2VjcmV0\n");
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("with an account that works a CA may want an external one for others") {
  Scene scene;
  scene.renew();
  scene.ca->settings.external_account_required = true;
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("a profile that is not offered is told of for each certificate that wants it") {
  Scene scene;
  scene.ca->settings.profiles = {{"classic", {"", 90 * 24h}}};
  scene.add_certificate("mail", "mail.test").profile = "classic";
  scene.add_certificate("blog", "blog.test").profile = "tlsserver";
  const auto found = scene.check(ca_checks());
  CHECK(CheckScene::brief(found) == Lines{"PROFILE_NOT_OFFERED error blog [CA ca]"});
  has(only(found).evidence, "classic");
  CHECK(scene.check(ca_checks(), true, {"mail"}).empty());
}

TEST_CASE("a budget that the daemon may not spend is told of, one that nobody counts is not") {
  Scene scene;
  CHECK(scene.lines(false) == Lines{});
  scene.renew();
  CHECK(scene.lines(false) == Lines{});
  const auto saved = scene.store().load_ledger("ca");
  REQUIRE(saved);
  RateLedger ledger({}, saved->value());
  for (int i = 0; i < 4; ++i) {
    ledger.record_failed_validation({"dns", "shop.test"}, scene.world.clock.now());
  }
  bool done = false;
  scene.world.files.run(scene.store().save_ledger("ca", ledger.state()),
                        [&](const Result<void>& stored) { done = stored.has_value(); });
  REQUIRE(scene.world.clock.run_until([&] { return done; }));
  const auto found = scene.check(ca_checks(), false);
  CHECK(CheckScene::brief(found) == Lines{"RATE_BUDGET_LOW warning shop [CA ca]"});
  scene.world.files.set_closed(scene.config.state_directory, true);
  CHECK(the(scene.check(ca_checks(), false), "RATE_BUDGET_LOW").severity ==
        FindingSeverity::unknown);
}
