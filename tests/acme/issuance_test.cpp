// The order flow step by step, as the CA's answers steer it.
#include "acme/issuance.h"

#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "tests/acme/issuance_script.h"
#include "tests/support/test_issuer.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;

namespace {

std::string chain_pem(const std::string& root_name = "Root A") {
  const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
  static const PrivateKey key = *PrivateKey::generate(KeyType::ecdsa_p256);
  static const nolapse::TestIssuer root =
      nolapse::TestIssuer::root("Root A", now - 1h, now + 24h * 365);
  static const nolapse::TestIssuer other =
      nolapse::TestIssuer::root("Root B", now - 1h, now + 24h * 365);
  static const nolapse::TestIssuer intermediate = root.intermediate("Intermediate");
  nolapse::LeafOptions options;
  options.identifiers = {{"dns", "shop.test"}};
  options.not_before = now - 1h;
  options.not_after = now + 24h * 90;
  static const std::string leaf = intermediate.issue(options, key);
  const std::string link =
      root_name == "Root A" ? intermediate.certificate() : other.cross_sign(intermediate);
  return nolapse::pem_of({leaf, link});
}

}  // namespace

TEST_CASE("an order goes from newOrder to the certificate, one effect at a time [RFC 8555 §7.4]") {
  IssuanceScript script;
  CHECK(script.call().target == Call::Target::new_order);
  CHECK(json::parse(script.call().payload) ==
        json{{"identifiers", {{{"type", "dns"}, {"value", "shop.test"}}}}});

  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  CHECK(script.issuance.state().order_url == "https://ca/order/1");
  CHECK(script.call().url == "https://ca/authz/1");
  CHECK(script.call().payload.empty());  // POST-as-GET

  script.reply(IssuanceScript::authorization("pending"));
  const auto& present = script.as<effect::Present>();
  REQUIRE(present.challenges.size() == 1);
  CHECK(present.challenges[0].token == "token1");
  CHECK(present.challenges[0].key_authorization == "token1.thumb");
  CHECK(script.issuance.state().presented == present.challenges);

  script.presented();
  CHECK(script.call().url == "https://ca/challenge/1");
  CHECK(script.call().payload == "{}");

  script.reply(json::object());
  script.wait();
  CHECK(script.call().url == "https://ca/authz/1");

  script.reply(IssuanceScript::authorization("valid"));
  CHECK(script.as<effect::CleanUp>().challenges.size() == 1);

  script.cleaned_up();
  CHECK(script.issuance.state().presented.empty());
  CHECK(script.call().url == "https://ca/order/1");

  script.reply(IssuanceScript::order("ready"));
  CHECK(script.call().url == "https://ca/finalize/1");
  CHECK(json::parse(script.call().payload) == json{{"csr", base64url_encode("csr")}});

  script.reply(IssuanceScript::order("processing"), {{"Retry-After", "3"}});
  CHECK(script.as<effect::Wait>().duration == 3s);
  script.wait();
  CHECK(script.call().url == "https://ca/order/1");

  script.reply(IssuanceScript::order("valid"));
  CHECK(script.call().url == "https://ca/certificate/1");
  CHECK(script.call().accept == "application/pem-certificate-chain");

  script.reply_text(chain_pem());
  CHECK(script.as<effect::Finished>().chain.size() == 2);
}

TEST_CASE("finalize may answer valid at once, as Caddy does") {
  IssuanceScript script;
  script.go_to_finalize();
  script.reply(IssuanceScript::order("valid"));
  CHECK(script.call().url == "https://ca/certificate/1");
}

TEST_CASE("an order that is ready at once needs no proof; one that is valid no finalize") {
  IssuanceScript ready;
  ready.reply(IssuanceScript::order("ready"), IssuanceScript::location());
  CHECK(ready.call().url == "https://ca/finalize/1");
  IssuanceScript valid;
  valid.reply(IssuanceScript::order("valid"), IssuanceScript::location());
  CHECK(valid.call().url == "https://ca/certificate/1");
}

TEST_CASE("no challenge of a valid authorization is answered [RFC 8555 §7.5.1]") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("valid"));
  CHECK(script.call().url == "https://ca/order/1");
  CHECK(script.issuance.state().presented.empty());
}

TEST_CASE("authorizations come in any order and any number [RFC 8555 §7.1.3]") {
  IssuanceRequest request = IssuanceScript::default_request();
  request.identifiers = {{"dns", "a.test"}, {"dns", "b.test"}};
  IssuanceScript script(request);
  json order = IssuanceScript::order("pending");
  order["authorizations"] = {"https://ca/authz/b", "https://ca/authz/a"};
  script.reply(order, IssuanceScript::location());
  for (const char* name : {"b", "a"}) {
    CHECK(script.call().url == std::string("https://ca/authz/") + name);
    json authorization = IssuanceScript::authorization("pending");
    authorization["identifier"]["value"] = std::string(name) + ".test";
    authorization["challenges"][1]["token"] = std::string("token-") + name;
    authorization["challenges"][1]["url"] = std::string("https://ca/challenge/") + name;
    script.reply(authorization);
  }
  const auto challenges = script.as<effect::Present>().challenges;
  REQUIRE(challenges.size() == 2);
  CHECK(challenges[0].identifier.value == "b.test");
  CHECK(challenges[0].token == "token-b");
  script.presented();
  CHECK(script.call().url == "https://ca/challenge/b");
  script.reply(json::object());
  CHECK(script.call().url == "https://ca/challenge/a");
  script.reply(json::object());
  script.wait();
  script.reply(IssuanceScript::authorization("valid"));
  CHECK(script.call().url == "https://ca/authz/a");
  script.reply(IssuanceScript::authorization("valid"));
  CHECK(script.as<effect::CleanUp>().challenges.size() == 2);
}

TEST_CASE("a saved order is resumed: the proof goes back first, then the order is read") {
  IssuanceScript before;
  before.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  before.reply(IssuanceScript::authorization("pending"));
  const json saved = to_json(before.issuance.state());

  IssuanceScript after(IssuanceScript::default_request(), *parse_issuance_state(saved));
  CHECK(after.as<effect::Present>().challenges == before.issuance.state().presented);
  after.presented();
  CHECK(after.call().url == "https://ca/order/1");
  after.reply(IssuanceScript::order("pending"));
  after.reply(IssuanceScript::authorization("pending"));
  CHECK(after.as<effect::Present>().challenges.size() == 1);  // not twice

  IssuanceScript later(IssuanceScript::default_request(), *parse_issuance_state(saved));
  later.presented();
  later.reply(IssuanceScript::order("valid"));
  CHECK(later.as<effect::CleanUp>().challenges.size() == 1);
  later.cleaned_up();
  later.reply(IssuanceScript::order("valid"));
  CHECK(later.call().url == "https://ca/certificate/1");
}

TEST_CASE("a saved state with a token that names another file is refused") {
  IssuanceState state;
  state.order_url = "https://ca/order/1";
  state.presented = {{{"dns", "shop.test"}, false, "http-01", "u", "../../etc", "k"}};
  CHECK_FALSE(parse_issuance_state(to_json(state)));
  state.presented[0].token = "fine";
  state.presented[0].key_authorization.clear();  // made again, never read back
  CHECK(*parse_issuance_state(to_json(state)) == state);
}

TEST_CASE(
    "Retry-After of an authorization is obeyed in both forms, and clamped [RFC 8555 §7.5.1]") {
  const std::pair<const char*, Duration> cases[] = {
      {"3", 3s},     {"Mon, 23 Nov 2026 09:00:10 GMT", 9800ms},
      {"0", 1s},     {"86400", 60s},
      {"-5", 400ms}, {"abc", 400ms}};
  for (const auto& [value, expected] : cases) {
    const auto& case_of = value;  // clang 14 captures no structured binding
    CAPTURE(case_of);
    IssuanceScript script;
    script.go_to_poll();  // 200 ms went by
    script.reply(IssuanceScript::authorization("pending"), {{"Retry-After", value}});
    CHECK(script.as<effect::Wait>().duration == expected);
  }
}

TEST_CASE("the preferred chain is the first with that issuer; an unknown one leaves the default") {
  IssuanceRequest request = IssuanceScript::default_request();
  request.preferred_chain = "Root B";
  IssuanceScript script(request);
  script.reply(IssuanceScript::order("valid"), IssuanceScript::location());
  script.reply_text(chain_pem(), {{"Link", "<https://ca/directory>;rel=\"index\""},
                                  {"Link",
                                   "<https://ca/certificate/1/1>;rel=\"alternate\", "
                                   "<https://ca/certificate/1/2>; rel=alternate"}});
  CHECK(script.call().url == "https://ca/certificate/1/1");
  script.reply_text("not a chain");
  CHECK(script.call().url == "https://ca/certificate/1/2");
  script.reply_text(chain_pem("Root B"));
  CHECK(script.as<effect::Finished>().chain[1].issuer_common_name == "Root B");
  CHECK(script.as<effect::Finished>().note.empty());

  request.preferred_chain = "Root C";
  IssuanceScript unknown(request);
  unknown.reply(IssuanceScript::order("valid"), IssuanceScript::location());
  unknown.reply_text(chain_pem());
  CHECK(unknown.as<effect::Finished>().chain[1].issuer_common_name == "Root A");
  CHECK(unknown.as<effect::Finished>().note.find("Root C") != std::string::npos);
}
