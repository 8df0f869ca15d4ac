// The order flow by dns-persist-01, whose challenge has no token, in the forms of its drafts.
#include "acme/persist_record.h"
#include "tests/acme/issuance_script.h"

using namespace nolapse::acme;

namespace {

const std::string account = "https://ca/account/1";

IssuanceRequest by_record() {
  IssuanceRequest request = IssuanceScript::default_request();
  request.challenge_type = "dns-persist-01";
  request.account_url = account;
  return request;
}

// What is to be proved when the CA offers this; nothing: it is of no use.
std::optional<PersistRequest> asked_for(const json& members, const IssuanceRequest& request) {
  IssuanceScript script(request);
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  json authorization = IssuanceScript::authorization("pending");
  authorization["challenges"][0].update(members);
  script.reply(authorization);
  if (const auto* failed = std::get_if<effect::Failed>(&script.effect)) {
    CHECK(failed->error.code == "CHALLENGE_NOT_OFFERED");
    return {};
  }
  const auto& challenges = script.as<effect::Present>().challenges;
  REQUIRE(challenges.size() == 1);
  CHECK(challenges[0].token == "");
  CHECK(challenges[0].key_authorization == "");
  // A crash here must not lose what is asked for.
  const auto saved = parse_issuance_state(to_json(script.issuance.state()));
  REQUIRE(saved);
  CHECK(*saved == script.issuance.state());
  return challenges[0].persist;
}

}  // namespace

TEST_CASE("80: each draft of dns-persist-01 names the account in its own way") {
  const json old_names{{"issuer-domain-names", {"ca.test", "other.test"}}};
  const std::vector<std::string> issuers = {"ca.test", "other.test"};
  CHECK(asked_for(old_names, by_record()) == PersistRequest{issuers, {account}, false});

  json first = old_names;
  first["accounturi"] = "https://ca/the/account";
  CHECK(asked_for(first, by_record()) ==
        PersistRequest{issuers, {"https://ca/the/account"}, false});

  IssuanceRequest request = by_record();
  request.account_hash_prefix = "ca:";
  request.issuer_domain_names = {"directory.test"};
  const std::vector<std::string> hashes = {
      persist_account_hash("ca:", "shop.test", "thumb", account),
      persist_account_hash("ca:", "*", "thumb", account)};
  CHECK(asked_for({{"issuerDomainNames", {"ca.test"}}}, request) ==
        PersistRequest{{"ca.test"}, hashes, false});
  CHECK(asked_for(json::object(), request) == PersistRequest{{"directory.test"}, hashes, false});
}

TEST_CASE("80: a challenge that asks for somebody else's record is of no use") {
  const auto use = [](const json& members) { return asked_for(members, by_record()).has_value(); };
  CHECK(use({{"issuer-domain-names", {"ca.test"}}}));
  CHECK_FALSE(use(json::object()));
  CHECK_FALSE(use({{"issuer-domain-names", json::array()}}));
  CHECK_FALSE(use({{"issuer-domain-names", {"ca.test\" \"x"}}}));
  CHECK_FALSE(use({{"issuer-domain-names", std::vector<std::string>(11, "ca.test")}}));
  CHECK_FALSE(
      use({{"issuer-domain-names", {"ca.test"}}, {"accounturi", "https://evil.test/account/1"}}));
  CHECK_FALSE(
      use({{"issuer-domain-names", {"ca.test"}}, {"accounturi", "https://ca/account/\"1"}}));
  IssuanceRequest request = by_record();
  request.account_hash_prefix = "a prefix; with more";
  CHECK_FALSE(asked_for({{"issuerDomainNames", {"ca.test"}}}, request));
  // A token is of no use here, and does no harm.
  CHECK(use({{"issuer-domain-names", {"ca.test"}}, {"token", "../token"}}));
}

TEST_CASE("80: no other challenge may be without a token, nor be saved without") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  json authorization = IssuanceScript::authorization("pending");
  authorization["challenges"][1].erase("token");
  script.reply(authorization);
  CHECK(script.as<effect::Failed>().error.code == "CHALLENGE_NOT_OFFERED");

  IssuanceState state{"https://ca/order/1", {{{"dns", "shop.test"}, false, "dns-01", "u", "", ""}}};
  CHECK_FALSE(parse_issuance_state(to_json(state)));
  state.presented[0].type = "dns-persist-01";
  CHECK_FALSE(parse_issuance_state(to_json(state)));
  state.presented[0].persist = {{"ca.test"}, {account}, false};
  CHECK(parse_issuance_state(to_json(state)));
  state.presented[0].token = "token";
  CHECK_FALSE(parse_issuance_state(to_json(state)));
}
