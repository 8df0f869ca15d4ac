// The account's own affairs. Whatever a key change meets with, a death at any moment, a reply that
// gets lost, a CA that says yes and does no, there is always a key on the disk that the CA takes,
// for the account that there was.
#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "tests/simulation/command_process.h"
#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;
using acme::HttpRequest;
using acme::HttpResponse;

namespace {

const std::string folder = std::string(Shop::state) + "/accounts/ca/";

std::string key_of(const Shop& shop) {
  return shop.world.files.text(folder + "key.pem");
}

bool change_is_open(const Shop& shop) {
  return shop.world.files.exists(folder + "next_key.pem");
}

RenewOptions forced() {
  RenewOptions options;
  options.force = true;
  return options;
}

// A renewal works, for the account that there always was.
void check_account_works(Shop& shop) {
  const CertificateOutcome outcome = shop.renewed(forced());
  if (outcome.error) MESSAGE(outcome.error->message);
  CHECK_FALSE(outcome.error.has_value());
  CHECK(shop.ca.counters().accounts_created == 1);
  CHECK(shop.violation() == "");
}

// A change that is open is settled by the use of the account, after an hour at the latest.
void check_recovery(Shop& shop) {
  check_account_works(shop);
  shop.world.clock.run_for(2h);
  check_account_works(shop);
  CHECK_FALSE(change_is_open(shop));
  CHECK(work_on_account(shop, AccountAction::show)->status == "valid");
}

std::string thumbprint_in(const HttpRequest& request) {
  const auto jws = nlohmann::json::parse(request.body, nullptr, false);
  const auto header = acme::base64url_decode(jws.value("protected", ""));
  const auto jwk = nlohmann::json::parse(header.value_or("")).value("jwk", nlohmann::json());
  return acme::base64url_encode(acme::sha256(jwk.dump()));
}

HttpResponse problem(int status, const std::string& type) {
  return {status,
          {{"Content-Type", "application/problem+json"}},
          type.empty() ? "" : R"({"type":"urn:ietf:params:acme:error:)" + type + R"("})"};
}

// Every look-up by another key than `known` is answered with `answer`.
auto instead_of_looking_up_others(const std::string& known, const HttpResponse& answer) {
  return [known, answer](CaEndpoint endpoint,
                         const HttpRequest& request) -> std::optional<HttpResponse> {
    if (endpoint != CaEndpoint::new_account || thumbprint_in(request) == known) return {};
    return answer;
  };
}

}  // namespace

TEST_CASE("an account gets a new key and stays the same account [RFC 8555 §7.3.5]") {
  Shop shop(301);
  shop.renewed();
  const AccountOutcome before = *work_on_account(shop, AccountAction::show);
  const std::string old_key = key_of(shop);
  const AccountOutcome changed = *work_on_account(shop, AccountAction::roll_over);
  CHECK_FALSE(changed.error.has_value());
  CHECK(changed.url == before.url);
  CHECK(changed.thumbprint != before.thumbprint);
  CHECK(key_of(shop) != old_key);
  CHECK(shop.world.files.mode(folder + "key.pem") == 0600);
  CHECK_FALSE(change_is_open(shop));
  CHECK(work_on_account(shop, AccountAction::show)->thumbprint == changed.thumbprint);
  check_account_works(shop);
}

TEST_CASE("a key change survives kill -9 and power failure after any file operation") {
  for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
    int deaths = 0;
    for (std::uint64_t at = 1;; ++at) {
      CAPTURE(at);
      CAPTURE(static_cast<int>(death));
      Shop shop(at);
      shop.renewed();
      if (work_on_account(shop, AccountAction::roll_over, {at, 0, death})) break;
      ++deaths;
      check_recovery(shop);
    }
    CHECK(deaths > 15);
  }
}

TEST_CASE("a key change survives kill -9 between any two events") {
  int changed = 0;
  int kept = 0;
  for (int steps = 1;; ++steps) {
    CAPTURE(steps);
    REQUIRE(steps < 1000);
    Shop shop(static_cast<std::uint64_t>(steps));
    shop.renewed();
    const std::string old_key = key_of(shop);
    if (work_on_account(shop, AccountAction::roll_over, {0, steps})) break;
    check_recovery(shop);
    ++(key_of(shop) == old_key ? kept : changed);
  }
  CHECK(kept > 5);
  CHECK(changed > 5);
}

TEST_CASE("a key change survives the loss of any reply, and can be tried again") {
  int requests = 0;
  {
    Shop shop(302);
    shop.renewed();
    const int before = shop.ca.counters().requests;
    work_on_account(shop, AccountAction::roll_over);
    requests = shop.ca.counters().requests - before;
  }
  for (int at = 1; at <= requests; ++at) {
    CAPTURE(at);
    for (const bool again : {false, true}) {
      Shop shop(static_cast<std::uint64_t>(at));
      shop.renewed();
      shop.ca.lose_reply_after(at);
      work_on_account(shop, AccountAction::roll_over);
      if (again) CHECK_FALSE(work_on_account(shop, AccountAction::roll_over)->error.has_value());
      check_recovery(shop);
    }
  }
}

TEST_CASE("a disk that refuses any one operation costs at most a key change, never the account") {
  for (std::uint64_t at = 1;; ++at) {
    CAPTURE(at);
    Shop shop(at);
    shop.renewed();
    const std::uint64_t before = shop.world.files.total_operations();
    shop.world.files.fail_operation(at);
    work_on_account(shop, AccountAction::roll_over);
    const std::uint64_t operations = shop.world.files.total_operations() - before;
    if (at > operations) break;
    check_recovery(shop);
  }
}

TEST_CASE("what a CA answers to a key change is not believed, it is asked [conformance 25]") {
  struct Row {
    int status;
    const char* type;
    const char* code;
    bool open;  // it may still act
  };
  for (const Row& row : {
           Row{501, "", "KEY_CHANGE_UNSUPPORTED", false},
           Row{501, "rejectedIdentifier", "KEY_CHANGE_UNSUPPORTED", false},
           Row{409, "", "KEY_IN_USE", false}, Row{409, "conflict", "KEY_IN_USE", false},
           Row{400, "badPublicKey", "CA_BAD_PUBLIC_KEY", false},
           Row{403, "unauthorized", "CA_UNAUTHORIZED", false},
           Row{500, "serverInternal", "KEY_CHANGE_UNCONFIRMED", true},
           Row{503, "", "KEY_CHANGE_UNCONFIRMED", true},
           Row{429, "rateLimited", "KEY_CHANGE_UNCONFIRMED", true},
           Row{200, "", "KEY_CHANGE_UNCONFIRMED", true},  // Pebble 2.5 to 2.10
       }) {
    CAPTURE(row.status);
    CAPTURE(row.type);
    Shop shop(303);
    shop.renewed();
    const std::string old_key = key_of(shop);
    shop.ca.settings.instead = [&](CaEndpoint endpoint,
                                   const HttpRequest&) -> std::optional<HttpResponse> {
      if (endpoint != CaEndpoint::key_change) return {};
      return problem(row.status, row.type);
    };
    const AccountOutcome outcome = *work_on_account(shop, AccountAction::roll_over);
    REQUIRE(outcome.error.has_value());
    CHECK(outcome.error->code == row.code);
    CHECK(outcome.key_change_open == row.open);
    CHECK(change_is_open(shop) == row.open);
    check_recovery(shop);
    CHECK(key_of(shop) == old_key);
  }
}

TEST_CASE("a CA that offers no key change is not asked for one") {
  Shop shop(304);
  shop.renewed();
  shop.ca.settings.alter = [](CaEndpoint endpoint, HttpResponse& response) {
    if (endpoint != CaEndpoint::directory) return;
    response.body.replace(response.body.find("keyChange"), 9, "noChange");
  };
  const AccountOutcome outcome = *work_on_account(shop, AccountAction::roll_over);
  CHECK(outcome.error->code == "KEY_CHANGE_UNSUPPORTED");
  CHECK_FALSE(change_is_open(shop));
  check_account_works(shop);
}

TEST_CASE("a new key that is another account's is dropped, whatever the CA answered") {
  for (const int status : {200, 409, 500}) {
    CAPTURE(status);
    Shop shop(305);
    shop.renewed();
    const std::string old_key = key_of(shop);
    const auto others = instead_of_looking_up_others(
        work_on_account(shop, AccountAction::show)->thumbprint,
        {200, {{"Location", "https://ca.test/account/other"}}, R"({"status":"valid"})"});
    shop.ca.settings.instead = [&](CaEndpoint endpoint,
                                   const HttpRequest& request) -> std::optional<HttpResponse> {
      if (endpoint == CaEndpoint::key_change) return problem(status, "");
      return others(endpoint, request);
    };
    const AccountOutcome outcome = *work_on_account(shop, AccountAction::roll_over);
    CHECK(outcome.error->code == "KEY_IN_USE");
    CHECK_FALSE(change_is_open(shop));
    CHECK(key_of(shop) == old_key);
    shop.ca.settings.instead = nullptr;
    check_account_works(shop);
  }
}

TEST_CASE("a CA that changes the key and is slow to tell loses nobody's account") {
  Shop shop(306);
  shop.renewed();
  const std::string old_key = key_of(shop);
  shop.ca.settings.instead = instead_of_looking_up_others(
      work_on_account(shop, AccountAction::show)->thumbprint, problem(400, "accountDoesNotExist"));
  const AccountOutcome outcome = *work_on_account(shop, AccountAction::roll_over);
  CHECK(outcome.error->code == "KEY_CHANGE_UNCONFIRMED");
  CHECK(change_is_open(shop));
  shop.world.clock.run_for(10min);
  shop.ca.settings.instead = nullptr;
  check_account_works(shop);
  CHECK(key_of(shop) != old_key);
  CHECK_FALSE(change_is_open(shop));
}

TEST_CASE("a refusal after a change that came to no answer is no word on that one") {
  Shop shop(316);
  shop.renewed();
  int status = 503;
  shop.ca.settings.instead = [&](CaEndpoint endpoint,
                                 const HttpRequest&) -> std::optional<HttpResponse> {
    if (endpoint != CaEndpoint::key_change) return {};
    return problem(status, status == 503 ? "" : "unauthorized");
  };
  work_on_account(shop, AccountAction::roll_over);
  const std::string new_key = shop.world.files.text(folder + "next_key.pem");
  // As if it had acted meanwhile: the old key signs nothing any more.
  status = 403;
  CHECK(work_on_account(shop, AccountAction::roll_over)->error->code == "KEY_CHANGE_UNCONFIRMED");
  CHECK(shop.world.files.text(folder + "next_key.pem") == new_key);
  check_recovery(shop);
}

TEST_CASE("a key change is settled without account.json too") {
  for (const bool acted : {true, false}) {
    CAPTURE(acted);
    Shop shop(307);
    shop.renewed();
    if (acted) {
      shop.ca.lose_reply(CaEndpoint::key_change);
    } else {
      shop.ca.settings.instead = [](CaEndpoint endpoint,
                                    const HttpRequest&) -> std::optional<HttpResponse> {
        if (endpoint != CaEndpoint::key_change) return {};
        return problem(503, "");
      };
    }
    const std::string old_key = key_of(shop);
    // Up to the moment when the CA has been asked.
    for (int steps = 1; shop.ca.counters().by_endpoint.contains(CaEndpoint::key_change) == false;
         ++steps) {
      REQUIRE(steps < 1000);
      if (work_on_account(shop, AccountAction::roll_over, {0, steps})) break;
    }
    shop.world.files.erase(folder + "account.json");
    check_account_works(shop);
    CHECK((key_of(shop) != old_key) == acted);
    check_recovery(shop);
  }
}

TEST_CASE("no key is changed while an order is under way, proofs of control are made with it") {
  Shop shop(308);
  const std::string order = std::string(Shop::state) + "/certificates/shop/issuance.json";
  for (int steps = 1; !shop.world.files.exists(order); ++steps) {
    REQUIRE(steps < 1000);
    shop.renew_and_die_after_steps(steps, Shop::Death::kill);
  }
  const AccountOutcome outcome = *work_on_account(shop, AccountAction::roll_over);
  REQUIRE(outcome.error.has_value());
  CHECK(outcome.error->code == "ISSUANCE_UNDER_WAY");
  CHECK(outcome.error->kind == ErrorKind::held);
  CHECK(outcome.error->message.find("(shop)") != std::string::npos);
  CHECK_FALSE(shop.renewed().error.has_value());
  CHECK_FALSE(work_on_account(shop, AccountAction::roll_over)->error.has_value());
  check_account_works(shop);
}

TEST_CASE("in a daemon a key change waits for no order, and an order waits for a key change") {
  DaemonScene scene(309);
  REQUIRE(scene.start());
  scene.run_for(1h);
  std::vector<AccountOutcome> outcomes;
  const auto take = [&](const std::vector<AccountOutcome>& result) {
    outcomes.push_back(result.front());
  };
  const auto renew = [&] {
    scene.daemon->renew(forced(), [](const std::vector<CertificateOutcome>&) {});
  };
  renew();
  REQUIRE(scene.run_until_event("ISSUANCE_STARTED", 1min));
  scene.run_for(50ms);
  scene.daemon->work_on_accounts(AccountAction::roll_over, "", take);
  scene.run_for(1h);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].error->code == "ISSUANCE_UNDER_WAY");
  CHECK(scene.issued() == 2);

  scene.daemon->work_on_accounts(AccountAction::roll_over, "", take);
  renew();
  scene.run_for(1h);
  REQUIRE(outcomes.size() == 2);
  CHECK_FALSE(outcomes[1].error.has_value());
  CHECK(scene.issued() == 3);
  CHECK(scene.count("ACCOUNT_KEY_CHANGED") == 1);
  CHECK(scene.shop.ca.counters().accounts_created == 1);
  CHECK(scene.shop.ca.counters().failed_validations == 0);
}

TEST_CASE("in a daemon an order that is not on the disk yet keeps the key, too") {
  DaemonScene scene(317);
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.daemon->renew(forced(), [](const std::vector<CertificateOutcome>&) {});
  REQUIRE(scene.run_until_event("ISSUANCE_STARTED", 1min));
  // The order's request takes long, everything after it does not.
  auto& route = scene.shop.world.http.route("https://ca.test");
  route.latency = 20s;
  REQUIRE(scene.shop.world.clock.run_until(
      [&] {
        const auto& exchanges = scene.shop.world.http.exchanges();
        return exchanges.back().request.find("new-order") != std::string::npos;
      },
      1min));
  route.latency = 40ms;
  std::optional<AccountOutcome> outcome;
  scene.daemon->work_on_accounts(
      AccountAction::roll_over, "",
      [&](const std::vector<AccountOutcome>& result) { outcome = result.front(); });
  scene.run_for(5s);
  REQUIRE(outcome.has_value());
  REQUIRE(outcome->error.has_value());
  CHECK(outcome->error->code == "ISSUANCE_UNDER_WAY");
  scene.run_for(1h);
  CHECK(scene.issued() == 2);
}

TEST_CASE("the CA is told the contacts that are configured now, and not twice [RFC 8555 §7.3.2]") {
  Shop shop(310);
  shop.config.contact = {"mailto:a@shop.test", "mailto:b@shop.test"};
  shop.renewed();
  shop.config.contact = {"mailto:b@shop.test", "mailto:a@shop.test"};
  const auto posts = [&] { return shop.ca.counters().by_endpoint.contains(CaEndpoint::account); };
  CHECK_FALSE(work_on_account(shop, AccountAction::update)->error.has_value());
  CHECK_FALSE(posts());
  shop.config.contact = {"mailto:c@shop.test"};
  CHECK(work_on_account(shop, AccountAction::update)->contact == shop.config.contact);
  CHECK(posts());
  CHECK(work_on_account(shop, AccountAction::show)->contact == shop.config.contact);
}

TEST_CASE("a look at an account makes none, and works without the CA") {
  Shop shop(311);
  CHECK(work_on_account(shop, AccountAction::show)->status == "none");
  for (const AccountAction action :
       {AccountAction::roll_over, AccountAction::update, AccountAction::deactivate}) {
    CHECK(work_on_account(shop, action)->error->code == "NO_ACCOUNT");
  }
  CHECK(shop.ca.counters().accounts_created == 0);
  CHECK(key_of(shop) == "");
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages = {{now, now + 1h, CaOutage::Kind::refused}};
  const AccountOutcome without = *work_on_account(shop, AccountAction::show);
  CHECK(without.status == "none");
  CHECK(without.error->code == "CA_UNREACHABLE");
  CHECK_FALSE(without.external_account_required.has_value());
  shop.world.clock.run_for(2h);
  shop.renewed();
  const Time later = shop.world.clock.true_time();
  shop.ca.settings.outages = {{later, later + 1h, CaOutage::Kind::refused}};
  const AccountOutcome outcome = *work_on_account(shop, AccountAction::show);
  CHECK(outcome.status == "unknown");
  CHECK(outcome.error->code == "CA_UNREACHABLE");
  CHECK(outcome.url != "");
  CHECK(outcome.thumbprint != "");
}

TEST_CASE("a deactivated account is never replaced in silence [conformance 26]") {
  Shop shop(312);
  shop.renewed();
  const AccountOutcome ended = *work_on_account(shop, AccountAction::deactivate);
  CHECK_FALSE(ended.error.has_value());
  CHECK(ended.status == "deactivated");
  CHECK(shop.renewed(forced()).error->code == "ACCOUNT_DEACTIVATED");
  CHECK(work_on_account(shop, AccountAction::show)->status == "deactivated");
  CHECK(work_on_account(shop, AccountAction::roll_over)->error->code == "ACCOUNT_DEACTIVATED");
  CHECK_FALSE(work_on_account(shop, AccountAction::deactivate)->error.has_value());
  // What the disk forgets the CA remembers.
  shop.world.files.erase(folder + "account.json");
  CHECK(shop.renewed(forced()).error->code == "CA_UNAUTHORIZED");
  CHECK(work_on_account(shop, AccountAction::show)->status == "refused");
  CHECK(shop.ca.counters().accounts_created == 1);
  // A person may have another.
  shop.world.files.erase(folder + "key.pem");
  CHECK_FALSE(shop.renewed(forced()).error.has_value());
  CHECK(shop.ca.counters().accounts_created == 2);
}

TEST_CASE("an account that the CA shows as anything but valid is an error") {
  Shop shop(315);
  shop.renewed();
  shop.ca.settings.alter = [](CaEndpoint endpoint, HttpResponse& response) {
    if (endpoint == CaEndpoint::new_account) response.body = R"({"status":"revoked\u001b[2J"})";
  };
  for (const AccountAction action :
       {AccountAction::show, AccountAction::roll_over, AccountAction::update}) {
    const AccountOutcome outcome = *work_on_account(shop, action);
    CHECK(outcome.error->code == "ACCOUNT_NOT_VALID");
    CHECK(outcome.status == "revoked [2J");
  }
}

TEST_CASE("a deactivation whose reply gets lost is done by the next one") {
  Shop shop(313);
  shop.renewed();
  shop.ca.lose_reply(CaEndpoint::account);
  CHECK(work_on_account(shop, AccountAction::deactivate)->error.has_value());
  CHECK(shop.renewed(forced()).error->code == "CA_UNAUTHORIZED");
  CHECK_FALSE(work_on_account(shop, AccountAction::deactivate)->error.has_value());
  CHECK(shop.renewed(forced()).error->code == "ACCOUNT_DEACTIVATED");
  CHECK(shop.ca.counters().accounts_created == 1);
}

TEST_CASE("new terms are shown with where to agree to them, and asked about slowly [conf. 22]") {
  DaemonScene scene(314);
  REQUIRE(scene.start());
  scene.run_for(1h);
  scene.shop.ca.settings.instead = [](CaEndpoint endpoint,
                                      const HttpRequest&) -> std::optional<HttpResponse> {
    if (endpoint != CaEndpoint::new_order) return {};
    return HttpResponse{403,
                        {{"Content-Type", "application/problem+json"},
                         {"Link", "<https://ca.test/terms-2>;rel=\"terms-of-service\""}},
                        R"({"type":"urn:ietf:params:acme:error:userActionRequired",
                            "detail":"new terms","instance":"https://ca.test/agree"})"};
  };
  scene.daemon->renew(forced(), [](const std::vector<CertificateOutcome>&) {});
  REQUIRE(scene.run_until_event("CA_USER_ACTION_REQUIRED", 1h));
  const std::string& text = scene.events.back().message;
  CHECK(text.find("https://ca.test/terms-2") != std::string::npos);
  CHECK(text.find("https://ca.test/agree") != std::string::npos);
  scene.run_for(10 * 24h);
  CHECK(scene.count("CA_USER_ACTION_REQUIRED") >= 8);
  CHECK(scene.count("CA_USER_ACTION_REQUIRED") <= 27);
}
