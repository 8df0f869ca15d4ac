// What may go wrong in an order, and what each failure leaves for the next attempt.
#include <doctest/doctest.h>

#include "acme/issuance.h"
#include "tests/acme/issuance_script.h"

using namespace nolapse::acme;
using namespace std::chrono_literals;

namespace {

const json connection_error = {{"type", "urn:ietf:params:acme:error:connection"},
                               {"detail", "connection refused"}};

}  // namespace

TEST_CASE("any refusal of an order with `replaces` is followed by one without it [RFC 9773 §5]") {
  const std::pair<ErrorKind, const char*> refusals[] = {
      {ErrorKind::resync, "CA_ALREADY_REPLACED"},
      {ErrorKind::input, "CA_MALFORMED"},
      {ErrorKind::input, "CA_UNAUTHORIZED"},
      {ErrorKind::transient, "CA_SERVER_INTERNAL"}};
  for (const auto& [kind, code] : refusals) {
    const auto& case_of = code;  // clang 14 captures no structured binding
    CAPTURE(case_of);
    IssuanceRequest request = IssuanceScript::default_request();
    request.replaces = "aki.serial";
    IssuanceScript script(request);
    CHECK(json::parse(script.call().payload)["replaces"] == "aki.serial");
    script.refuse(kind, code);
    CHECK_FALSE(json::parse(script.call().payload).contains("replaces"));
    script.refuse(ErrorKind::input, code);
    CHECK_FALSE(script.as<effect::Failed>().order_kept);
  }
}

TEST_CASE("a lost answer to an order with `replaces` is no refusal") {
  IssuanceRequest request = IssuanceScript::default_request();
  request.replaces = "aki.serial";
  IssuanceScript script(request);
  script.lose();
  script.wait();
  CHECK(json::parse(script.call().payload)["replaces"] == "aki.serial");
}

TEST_CASE("a failed validation takes the proof away, drops the order and names the cause") {
  IssuanceScript script;
  script.go_to_poll();
  script.reply(IssuanceScript::authorization("invalid", connection_error));
  CHECK(script.as<effect::CleanUp>().challenges.size() == 1);
  script.cleaned_up();
  const auto& failed = script.as<effect::Failed>();
  CHECK(failed.error.kind == ErrorKind::validation);
  CHECK(failed.error.code == "CA_CONNECTION");
  CHECK(failed.error.message.find("shop.test") != std::string::npos);
  CHECK(failed.error.message.find("connection refused") != std::string::npos);
  CHECK_FALSE(failed.order_kept);
  CHECK(script.issuance.state() == IssuanceState{});
}

TEST_CASE("a proof that could not be provisioned is no fault of the order") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.presented(fail(ErrorKind::local, "PORT_IN_USE", "port in use"));
  script.cleaned_up();
  CHECK(script.as<effect::Failed>().error.code == "PORT_IN_USE");
  CHECK(script.as<effect::Failed>().order_kept);
  CHECK(script.issuance.state().order_url == "https://ca/order/1");
}

TEST_CASE("a proof that was long in coming takes no time from the CA") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.now += std::chrono::minutes(10);
  script.presented();
  script.reply(json::object());
  script.wait();
  script.reply(IssuanceScript::authorization("pending"));
  CHECK(std::holds_alternative<effect::Wait>(script.effect));
  script.now += Issuance::authorization_deadline;
  script.wait();
  script.reply(IssuanceScript::authorization("pending"));
  script.cleaned_up();
  CHECK(script.as<effect::Failed>().error.code == "VALIDATION_TIMEOUT");
}

TEST_CASE("a type of challenge that the CA does not offer is named, with those it does") {
  IssuanceRequest request = IssuanceScript::default_request();
  request.challenge_type = "tls-alpn-01";
  IssuanceScript script(request);
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  const auto& failed = script.as<effect::Failed>();
  CHECK(failed.error.code == "CHALLENGE_NOT_OFFERED");
  CHECK(failed.error.message.find("dns-persist-01, http-01") != std::string::npos);
}

TEST_CASE("a challenge with a hostile token is not provisioned") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  json authorization = IssuanceScript::authorization("pending");
  authorization["challenges"][1]["token"] = "../../../etc/cron.d/x";
  script.reply(authorization);
  CHECK(script.as<effect::Failed>().error.code == "CHALLENGE_NOT_OFFERED");
}

TEST_CASE("no proof is given of a name that was not ordered, nor of one twice") {
  struct Offered {
    Identifier identifier;
    bool wildcard;
  };
  struct Case {
    std::string what;
    std::vector<Identifier> ordered;
    std::vector<Offered> authorizations;
    bool presented;
  };
  const auto dns = [](const char* name) { return Identifier{"dns", name}; };
  const Case cases[] = {
      {"as ordered, spelt otherwise", {{"dns", "shop.test"}}, {{dns("SHOP.test"), false}}, true},
      {"a wildcard beside its name",
       {{"dns", "*.shop.test"}, {"dns", "shop.test"}},
       {{dns("shop.test"), true}, {dns("shop.test"), false}},
       true},
      {"another name", {{"dns", "shop.test"}}, {{dns("n77.shop.test"), false}}, false},
      {"no name", {{"dns", "shop.test"}}, {{dns("../../../etc"), false}}, false},
      {"a terminal's", {{"dns", "shop.test"}}, {{dns("\x1b[2J.shop.test"), false}}, false},
      {"the wildcard of a name", {{"dns", "shop.test"}}, {{dns("shop.test"), true}}, false},
      {"the name of a wildcard", {{"dns", "*.shop.test"}}, {{dns("shop.test"), false}}, false},
      {"a literal star", {{"dns", "*.shop.test"}}, {{dns("*.shop.test"), false}}, false},
      {"an address of that text", {{"dns", "shop.test"}}, {{{"ip", "shop.test"}, false}}, false},
      {"one name twice",
       {{"dns", "a.test"}, {"dns", "b.test"}},
       {{dns("a.test"), false}, {dns("a.test"), false}},
       false},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    IssuanceRequest request = IssuanceScript::default_request();
    request.identifiers = each.ordered;
    IssuanceScript script(request);
    json order = IssuanceScript::order("pending");
    order["authorizations"] = json::array();
    for (std::size_t i = 0; i < each.authorizations.size(); ++i) {
      order["authorizations"].push_back("https://ca/authz/" + std::to_string(i));
    }
    script.reply(order, IssuanceScript::location());
    for (const auto& [identifier, wildcard] : each.authorizations) {
      json authorization = IssuanceScript::authorization("pending");
      authorization["identifier"] = {{"type", identifier.type}, {"value", identifier.value}};
      authorization["wildcard"] = wildcard;
      authorization["challenges"][1]["token"] = wildcard ? "token-w" : "token";
      script.reply(authorization);
    }
    if (each.presented) {
      CHECK(script.as<effect::Present>().challenges.size() == each.authorizations.size());
      continue;
    }
    const auto& failed = script.as<effect::Failed>();
    CHECK(failed.error.code == "BAD_AUTHORIZATION");
    CHECK(failed.error.message.find('\x1b') == std::string::npos);
    CHECK_FALSE(failed.order_kept);
    CHECK(failed.refused.empty());
  }
}

TEST_CASE("an authorization that changes its name while it is polled blames nobody") {
  IssuanceScript script;
  script.go_to_poll();
  json authorization = IssuanceScript::authorization("invalid", connection_error);
  authorization["identifier"]["value"] = "other.test";
  script.reply(authorization);
  script.cleaned_up();
  CHECK(script.as<effect::Failed>().error.code == "BAD_AUTHORIZATION");
  CHECK(script.as<effect::Failed>().refused.empty());
}

TEST_CASE("43: an authorization that expires before its proof is ready is ordered anew, once") {
  IssuanceScript script;
  const auto expiring = [&script](Duration in) {
    json authorization = IssuanceScript::authorization("pending");
    authorization["expires"] = format_rfc3339(script.now + in);
    return authorization;
  };
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(expiring(3s));
  script.now += 6s;
  script.presented();
  CHECK(script.as<effect::CleanUp>().challenges.size() == 1);
  script.cleaned_up();
  CHECK(script.call().target == Call::Target::new_order);
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(expiring(3s));
  SUBCASE("in time, it is answered") {
    script.now += 2s;
    script.presented();
    CHECK(script.call().url == "https://ca/challenge/1");
  }
  SUBCASE("too late again, it says why") {
    script.now += 6s;
    script.presented();
    script.cleaned_up();
    const auto& failed = script.as<effect::Failed>();
    CHECK(failed.error.code == "BAD_AUTHORIZATION");
    CHECK(failed.error.message.find("before its proof was ready") != std::string::npos);
    CHECK_FALSE(failed.order_kept);
  }
}

TEST_CASE("43: by a clock that runs ahead every authorization looks expired, and is answered") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  json authorization = IssuanceScript::authorization("pending");
  authorization["expires"] = format_rfc3339(script.now - 24h);
  script.reply(authorization);
  script.presented();
  CHECK(script.call().url == "https://ca/challenge/1");
}

TEST_CASE("an order that the CA no longer knows is placed again, once") {
  IssuanceState state;
  state.order_url = "https://ca/order/old";
  IssuanceScript script(IssuanceScript::default_request(), state);
  script.refuse(ErrorKind::resync, "CA_HTTP_404");
  CHECK(script.call().target == Call::Target::new_order);
  script.reply(IssuanceScript::order("invalid"), IssuanceScript::location());
  CHECK_FALSE(script.as<effect::Failed>().order_kept);
}

TEST_CASE("an order reused by the CA with an invalid authorization is placed again, once") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("invalid", connection_error));
  CHECK(script.call().target == Call::Target::new_order);
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("invalid", connection_error));
  CHECK(script.as<effect::Failed>().error.kind == ErrorKind::validation);
}

TEST_CASE("a read that fails is repeated with growing waits, then the order is kept for later") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  Duration last{0};
  for (int i = 0; i < 5; ++i) {
    script.lose();
    CHECK(script.as<effect::Wait>().duration > last);
    last = script.as<effect::Wait>().duration;
    script.wait();
    CHECK(script.call().url == "https://ca/authz/1");
  }
  script.lose();
  CHECK(script.as<effect::Failed>().order_kept);
}

TEST_CASE("an answer that makes no sense is asked for again a few times, not for ever") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  SUBCASE("in place of an authorization") {}
  SUBCASE("in place of one that is polled") {
    script.reply(IssuanceScript::authorization("pending"));
    script.presented();
    script.reply(json::object());
    script.wait();
  }
  int asked = 0;
  while (std::holds_alternative<effect::Send>(script.effect)) {
    REQUIRE(++asked < 20);
    script.reply(json::object());
    if (std::holds_alternative<effect::Wait>(script.effect)) script.wait();
  }
  if (std::holds_alternative<effect::CleanUp>(script.effect)) script.cleaned_up();
  CHECK(script.as<effect::Failed>().error.code == "BAD_AUTHORIZATION");
  CHECK(asked == 6);
}

TEST_CASE("a CA that wants to be left alone for long is left alone, and the order kept") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.refuse(ErrorKind::transient, "CA_SERVER_INTERNAL", "{}", script.now + 2h);
  CHECK(script.as<effect::Failed>().order_kept);
  CHECK(script.as<effect::Failed>().error.retry_after == script.now + 2h);
}

TEST_CASE("a lost answer to a challenge is followed by polling, not by a second answer") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.presented();
  script.lose();
  script.wait();
  CHECK(script.call().url == "https://ca/authz/1");
}

TEST_CASE("a second answer refused with 409 means that validation is under way") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.presented();
  script.refuse(ErrorKind::resync, "CA_CONFLICT");
  for (int i = 0; i < 3; ++i) {
    script.wait();
    CHECK(script.call().url == "https://ca/authz/1");
    script.reply(IssuanceScript::authorization("pending"));
  }
}

TEST_CASE("an answer to a challenge that the CA could not take is sent again") {
  for (const char* code : {"CA_BAD_NONCE", "CA_HTTP_503"}) {
    CAPTURE(code);
    IssuanceScript script;
    script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
    script.reply(IssuanceScript::authorization("pending"));
    script.presented();
    script.refuse(ErrorKind::transient, code);
    script.wait();
    CHECK(script.call().url == "https://ca/challenge/1");
    CHECK(script.call().payload == "{}");
  }
}

TEST_CASE("an answer that was lost on its way is sent again once polling shows it") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.presented();
  script.lose();
  script.wait();
  script.reply(IssuanceScript::authorization("pending"));
  script.wait();
  CHECK(script.call().url == "https://ca/challenge/1");
  script.reply(json::object());
  script.wait();
  CHECK(script.call().url == "https://ca/authz/1");
  // Once only: this one has arrived.
  script.reply(IssuanceScript::authorization("pending"));
  script.wait();
  CHECK(script.call().url == "https://ca/authz/1");
}

TEST_CASE("a refusal of an answer that the CA has already is no failure") {
  IssuanceScript script;
  script.reply(IssuanceScript::order("pending"), IssuanceScript::location());
  script.reply(IssuanceScript::authorization("pending"));
  script.presented();
  script.refuse(ErrorKind::input, "CA_MALFORMED");
  script.wait();
  SUBCASE("where it shows as valid") {
    script.reply(IssuanceScript::authorization("valid"));
    script.cleaned_up();
    CHECK(script.call().url == "https://ca/order/1");
  }
  SUBCASE("and one where it shows as pending") {
    script.reply(IssuanceScript::authorization("pending"));
    script.cleaned_up();
    CHECK(script.as<effect::Failed>().error.code == "CA_MALFORMED");
  }
}

TEST_CASE("a challenge that failed and is still pending is answered again [RFC 8555 §8.2]") {
  IssuanceScript script;
  script.go_to_poll();
  script.reply(IssuanceScript::authorization("pending", connection_error));
  CHECK(script.as<effect::Wait>().reason.find("connection refused") != std::string::npos);
  script.wait();
  CHECK(script.call().url == "https://ca/challenge/1");
  script.reply(json::object());
  script.wait();
  CHECK(script.call().url == "https://ca/authz/1");
}

TEST_CASE("a challenge that stays pending for ever is given up at the deadline and cleaned up") {
  IssuanceScript script;
  script.go_to_poll();
  const Time began = script.now;
  while (!std::holds_alternative<effect::CleanUp>(script.effect)) {
    script.reply(IssuanceScript::authorization("pending", connection_error));
    if (std::holds_alternative<effect::Wait>(script.effect)) script.wait();
    REQUIRE(script.now - began < 10min);
  }
  CHECK(script.now - began >= 4min);
  script.cleaned_up();
  CHECK(script.as<effect::Failed>().error.code == "VALIDATION_TIMEOUT");
  CHECK(script.as<effect::Failed>().error.message.find("connection refused") != std::string::npos);
}

TEST_CASE("a lost answer to finalize is looked up in the order [RFC 8555 §7.4]") {
  IssuanceScript script;
  script.go_to_finalize();
  script.lose();
  script.wait();
  CHECK(script.call().url == "https://ca/order/1");
  script.reply(IssuanceScript::order("valid"));
  CHECK(script.call().url == "https://ca/certificate/1");
}

TEST_CASE("orderNotReady is answered by reading the order; a CA that goes on is left") {
  IssuanceScript script;
  script.go_to_finalize();
  for (int i = 0; i < 3; ++i) {
    script.refuse(ErrorKind::resync, "CA_ORDER_NOT_READY");
    script.wait();
    script.reply(IssuanceScript::order("ready"));
  }
  CHECK(script.as<effect::Failed>().error.code == "FINALIZE_IGNORED");
}

TEST_CASE("an order in processing past the deadline is kept and resumed, not abandoned") {
  IssuanceScript script;
  script.go_to_finalize();
  const Time began = script.now;
  script.reply(IssuanceScript::order("processing"));
  while (!std::holds_alternative<effect::Failed>(script.effect)) {
    script.wait();
    script.reply(IssuanceScript::order("processing"));
    REQUIRE(script.now - began < 20min);
  }
  CHECK(script.as<effect::Failed>().error.code == "ORDER_PROCESSING");
  CHECK(script.as<effect::Failed>().error.kind == ErrorKind::deferred);
  CHECK(script.as<effect::Failed>().order_kept);
  CHECK(script.now - began >= 10min);
}

TEST_CASE("an order that turns invalid after finalize says why [RFC 8555 §7.1.6]") {
  IssuanceScript script;
  script.go_to_finalize();
  json order = IssuanceScript::order("invalid");
  order["error"] = {{"type", "urn:ietf:params:acme:error:caa"}, {"detail", "CAA forbids"}};
  script.reply(order);
  CHECK(script.as<effect::Failed>().error.code == "CA_CAA");
  CHECK(script.as<effect::Failed>().error.kind == ErrorKind::input);
}

TEST_CASE("a download with a private key or junk in it is refused [RFC 8555 §11.4]") {
  for (const char* body :
       {"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "<html>", ""}) {
    IssuanceScript script;
    script.reply(IssuanceScript::order("valid"), IssuanceScript::location());
    script.reply_text(body);
    CHECK(script.as<effect::Failed>().error.code == "BAD_CERTIFICATE");
  }
}

TEST_CASE("hostile order documents end in an error, never in a crash") {
  for (const char* body : {"", "[]", "null", "{\"status\":7}", "{\"status\":\"pending\"}",
                           "{\"status\":\"dancing\"}", "\xff\xfe{", "{\"status\":\"ready\"}"}) {
    CAPTURE(body);
    IssuanceScript script;
    script.reply_text(body, IssuanceScript::location());
    const bool ended = std::holds_alternative<effect::Failed>(script.effect);
    const bool goes_on = std::holds_alternative<effect::Send>(script.effect);
    CHECK((ended || goes_on));
  }
}
