// The fake CA is honest: it refuses what a real one refuses, and issues through the client's own
// session and issuance.
#include "tests/support/fake_ca.h"

#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "acme/revocation_list.h"
#include "tests/support/issuance_driver.h"

using namespace nolapse;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const Time start = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

struct Fixture {
  FakeCa ca;
  acme::PrivateKey account_key = make_test_key();
  IssuanceDriver driver;

  explicit Fixture(FakeCaSettings settings = {}, std::uint64_t seed = 1)
      : ca(std::move(settings), SeededRandom(seed), start), driver(ca, account_key, start) {}

  std::string nonce() {
    const auto reply = driver.exchange({"HEAD", ca.settings.base_url + "/new-nonce", {}, ""});
    return std::string(reply.value().header("Replay-Nonce"));
  }
  std::string register_account() {
    REQUIRE(driver.call({acme::Call::Target::account, "", "", "", "account"}));
    return driver.session.account_url();
  }
  acme::HttpResponse post(const std::string& url, const std::string& body,
                          const std::string& content_type = "application/jose+json") {
    return driver.exchange({"POST", url, {{"Content-Type", content_type}}, body}).value();
  }
  Result<std::vector<acme::Certificate>> issue(const std::vector<std::string>& names) {
    driver.state = {};
    return driver.issue(issuance_request(driver.session, names, make_test_key()));
  }
};

std::string type_of(const acme::HttpResponse& response) {
  return acme::parse_problem(response).type;
}

std::string code_of(const Result<std::vector<acme::Certificate>>& outcome) {
  return outcome ? "" : outcome.error().code;
}

}  // namespace

TEST_CASE("a request that is not as RFC 8555 §6 demands is refused, and so is its repetition") {
  Fixture fixture;
  const std::string kid = fixture.register_account();
  const std::string url = fixture.ca.settings.base_url + "/new-order";
  const acme::PrivateKey other = make_test_key();
  const auto signed_by = [&](const acme::PrivateKey& key, json header) {
    return acme::sign_jws(key, std::move(header), R"({"identifiers":[]})").value();
  };
  const auto good = [&] { return json{{"nonce", fixture.nonce()}, {"url", url}, {"kid", kid}}; };
  const auto with = [&](const char* name, const json& value) {
    json header = good();
    header[name] = value;
    return header;
  };
  const auto without = [&](const char* name) {
    json header = good();
    header.erase(name);
    return header;
  };
  const auto altered = [&](const char* name, const json& value) {
    json body = json::parse(signed_by(fixture.account_key, good()));
    body[name] = value;
    return body.dump();
  };
  struct Row {
    const char* what;
    std::string body;
    int status;
    const char* type;
  };
  const acme::PrivateKey& key = fixture.account_key;
  const Row rows[] = {
      {"good, and stopped by its empty order", signed_by(key, good()), 400, "malformed"},
      {"unknown nonce", signed_by(key, with("nonce", "AAAA")), 400, "badNonce"},
      {"no nonce", signed_by(key, without("nonce")), 400, "badNonce"},
      {"wrong url", signed_by(key, with("url", url + "/")), 403, "unauthorized"},
      {"no url", signed_by(key, without("url")), 403, "unauthorized"},
      {"unknown account", signed_by(key, with("kid", kid + "1")), 400, "accountDoesNotExist"},
      {"kid and jwk", signed_by(key, with("jwk", acme::public_jwk(key))), 400, "malformed"},
      {"neither", signed_by(key, without("kid")), 400, "malformed"},
      {"another key's signature", signed_by(other, good()), 400, "malformed"},
      {"altered payload", altered("payload", "e30"), 400, "malformed"},
      {"padded payload", altered("payload", "e30="), 400, "malformed"},
      {"unprotected header", altered("header", json::object()), 400, "malformed"},
      {"no JSON", "hello", 400, "malformed"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto reply = fixture.post(url, row.body);
    CHECK(reply.status == row.status);
    CHECK(type_of(reply) == row.type);
    CHECK_FALSE(reply.header("Replay-Nonce").empty());
  }
  CHECK(acme::parse_problem(fixture.post(url, rows[0].body)).type == "badNonce");
  CHECK(fixture.post(url, signed_by(key, good()), "application/json").status == 415);
  const auto signature = json::parse(signed_by(key, good()))["signature"].get<std::string>();
  CHECK(acme::parse_problem(fixture.post(url, altered("signature", signature))).detail ==
        "the signature does not verify");
  CHECK(acme::parse_problem(fixture.post(url, rows[8].body)).type == "badNonce");
}

TEST_CASE("an unknown algorithm is answered with those that are known [RFC 8555 §6.2]") {
  Fixture fixture;
  const std::string kid = fixture.register_account();
  const std::string url = fixture.ca.settings.base_url + "/new-order";
  const std::string header = acme::base64url_encode(
      json{{"alg", "none"}, {"nonce", fixture.nonce()}, {"url", url}, {"kid", kid}}.dump());
  const json body = {{"protected", header}, {"payload", ""}, {"signature", ""}};
  const auto problem = acme::parse_problem(fixture.post(url, body.dump()));
  CHECK(problem.type == "badSignatureAlgorithm");
  CHECK(problem.algorithms == std::vector<std::string>{"ES256", "ES384", "RS256"});
}

TEST_CASE("accounts of every kind of key are made once and found again [RFC 8555 §7.3.1]") {
  for (const auto type :
       {acme::KeyType::ecdsa_p256, acme::KeyType::ecdsa_p384, acme::KeyType::rsa_2048}) {
    FakeCa ca({}, SeededRandom(1), start);
    const auto key = acme::PrivateKey::generate(type).value();
    IssuanceDriver first(ca, key, start);
    first.session.only_return_existing(true);
    CHECK(first.call({}).error().code == "CA_ACCOUNT_DOES_NOT_EXIST");
    first.session.only_return_existing(false);
    REQUIRE(first.call({}));
    IssuanceDriver second(ca, key, start);
    REQUIRE(second.call({}));
    CHECK(second.session.account_url() == first.session.account_url());
    CHECK(ca.counters().accounts_created == 1);
  }
}

TEST_CASE("an external account binding is demanded and checked [RFC 8555 §7.3.4]") {
  FakeCaSettings settings;
  settings.external_account_required = true;
  settings.external_account_keys["kid-1"] = "secret";
  struct Row {
    const char* key_id;
    const char* mac_key;
    bool accepted;
  };
  for (const Row& row : {Row{"kid-1", "secret", true}, Row{"kid-1", "wrong", false},
                         Row{"kid-2", "secret", false}, Row{"", "", false}}) {
    FakeCa ca(settings, SeededRandom(1), start);
    IssuanceDriver driver(ca, make_test_key(), start);
    driver.session =
        acme::Session(ca.directory_url(), make_test_key(), {{}, true, row.key_id, row.mac_key});
    CHECK(driver.call({}).has_value() == row.accepted);
    CHECK(ca.counters().accounts_created == (row.accepted ? 1 : 0));
  }
}

TEST_CASE("a whole order leads to a chain that verifies") {
  struct Row {
    const char* what;
    void (*change)(FakeCaSettings&);
    std::size_t chain;
  };
  const Row rows[] = {
      {"as it comes", [](FakeCaSettings&) {}, 2},
      {"every second nonce refused", [](FakeCaSettings& s) { s.nonce_reject_percent = 50; }, 2},
      {"valid at once", [](FakeCaSettings& s) { s.processing_delay = 0ms; }, 2},
      {"no Location on finalize", [](FakeCaSettings& s) { s.finalize_location = false; }, 2},
      {"Retry-After as a date", [](FakeCaSettings& s) { s.retry_after_as_date = true; }, 2},
      {"no Retry-After", [](FakeCaSettings& s) { s.retry_after = 0ms; }, 2},
      {"three intermediates", [](FakeCaSettings& s) { s.intermediates = 3; }, 4},
      {"straight from the root", [](FakeCaSettings& s) { s.intermediates = 0; }, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    FakeCaSettings settings;
    row.change(settings);
    Fixture fixture(settings);
    const auto key = make_test_key();
    const auto request =
        issuance_request(fixture.driver.session, {"shop.test", "www.shop.test", "192.0.2.1"}, key);
    const auto chain = fixture.driver.issue(request);
    REQUIRE(chain);
    CHECK(chain->size() == row.chain);
    CHECK(acme::check_issued_chain(*chain, key.public_key_der(), request.identifiers,
                                   fixture.driver.now));
    CHECK(chain->front().not_after - chain->front().not_before == 90 * 24h);
    CHECK(fixture.ca.counters().orders_created == 1);
    CHECK(fixture.ca.counters().certificates_issued == 1);
    CHECK(fixture.driver.presented.empty());
  }
}

TEST_CASE("an alternate chain ends in another root [RFC 8555 §7.4.2]") {
  FakeCaSettings settings;
  settings.alternate_chains = 2;
  Fixture fixture(settings);
  auto request = issuance_request(fixture.driver.session, {"shop.test"}, make_test_key());
  request.preferred_chain = "Test CA Alternate Root 2";
  const auto chain = fixture.driver.issue(request);
  REQUIRE(chain);
  CHECK(chain->back().issuer_common_name == "Test CA Alternate Root 2");
  CHECK(fixture.ca.trust_anchors().size() == 3);
}

TEST_CASE("valid authorizations are reused until they expire or the CA does not reuse them") {
  FakeCaSettings settings;
  settings.authorization_lifetime = 24h;
  Fixture fixture(settings);
  const auto validations = [&] {
    return fixture.ca.counters().by_endpoint.at(CaEndpoint::challenge);
  };
  REQUIRE(fixture.issue({"shop.test"}));
  CHECK(validations() == 1);
  REQUIRE(fixture.issue({"shop.test"}));
  CHECK(validations() == 1);
  fixture.driver.now += 25h;
  REQUIRE(fixture.issue({"shop.test"}));
  CHECK(validations() == 2);
  fixture.ca.settings.reuse_authorizations = false;
  REQUIRE(fixture.issue({"shop.test"}));
  CHECK(validations() == 3);
}

TEST_CASE("a proof that is not there fails the authorization and counts") {
  Fixture fixture;
  fixture.ca.set_validator([](const ValidationRequest& request) {
    return ValidationFailure{"connection", request.identifier.value + ": connection refused"};
  });
  const auto outcome = fixture.issue({"shop.test"});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().kind == ErrorKind::validation);
  CHECK(outcome.error().message.find("connection refused") != std::string::npos);
  CHECK(fixture.ca.counters().failed_validations == 1);
  CHECK(fixture.ca.orders().begin()->second.status == "invalid");
}

TEST_CASE("limits answer 429 with the time of the next free slot") {
  FakeCaSettings settings;
  settings.certificates_per_set = {2, 7 * 24h};
  Fixture fixture(settings);
  REQUIRE(fixture.issue({"shop.test"}));
  const Time first = fixture.driver.now;
  REQUIRE(fixture.issue({"shop.test"}));
  const auto refused = fixture.issue({"shop.test"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::deferred);
  REQUIRE(refused.error().retry_after);
  CHECK(*refused.error().retry_after > first + 7 * 24h - 1min);
  CHECK(*refused.error().retry_after < first + 7 * 24h + 1min);
  CHECK(fixture.issue({"other.test"}));
  fixture.driver.now = *refused.error().retry_after;
  CHECK(fixture.issue({"shop.test"}));
  CHECK(fixture.ca.counters().rate_limited == 1);
}

TEST_CASE("failed authorizations are limited for each name") {
  FakeCaSettings settings;
  settings.failures_per_identifier = {1, 1h};
  Fixture fixture(settings);
  fixture.ca.set_validator([](const ValidationRequest&) {
    return ValidationFailure{"dns", "NXDOMAIN"};
  });
  CHECK(fixture.issue({"shop.test"}).error().kind == ErrorKind::validation);
  CHECK(fixture.issue({"shop.test"}).error().kind == ErrorKind::deferred);
}

TEST_CASE("a reply that is lost after the CA acted costs no second order once the URL is known") {
  for (const auto endpoint : {CaEndpoint::order, CaEndpoint::authorization, CaEndpoint::challenge,
                              CaEndpoint::finalize, CaEndpoint::certificate}) {
    CAPTURE(name_of(endpoint));
    Fixture fixture;
    fixture.ca.lose_reply(endpoint);
    CHECK(code_of(fixture.issue({"shop.test"})) == "");
    CHECK(fixture.ca.counters().orders_created == 1);
    CHECK(fixture.ca.counters().certificates_issued == 1);
  }
}

TEST_CASE("a process that ends before any effect goes on with the order it knows") {
  for (int end = 1; end < 25; ++end) {
    CAPTURE(end);
    Fixture fixture;
    const auto request =
        issuance_request(fixture.driver.session, {"shop.test", "www.shop.test"}, make_test_key());
    int effects = 0;
    (void)fixture.driver.issue(request, [&](const auto&) { return ++effects < end; });
    const bool order_known = !fixture.driver.state.order_url.empty();
    CHECK(code_of(fixture.driver.issue(request)) == "");
    CHECK(fixture.ca.counters().orders_created <= (order_known ? 1 : 2));
    CHECK(fixture.driver.presented.empty());
  }
}

TEST_CASE("outages refuse connections or answer with a page") {
  Fixture fixture;
  fixture.ca.settings.outages = {{start, start + 1h, CaOutage::Kind::unavailable, 120s},
                                 {start + 1h, start + 2h, CaOutage::Kind::refused, {}}};
  const acme::HttpRequest request{"GET", fixture.ca.directory_url(), {}, ""};
  const auto page = fixture.ca.handle(request, start);
  REQUIRE(page);
  CHECK(page->status == 503);
  CHECK(page->header("Retry-After") == "120");
  CHECK(fixture.ca.handle(request, start + 1h).error().code == "CA_UNREACHABLE");
  CHECK(fixture.ca.handle(request, start + 2h)->status == 200);
}

TEST_CASE("the renewal window follows the lifetime, and lies in the past once revoked [RFC 9773]") {
  Fixture fixture;
  REQUIRE(fixture.issue({"shop.test"}));
  const CaCertificate& certificate = fixture.ca.certificates().begin()->second;
  const acme::HttpRequest request{
      "GET", fixture.ca.settings.base_url + "/renewal-info/" + certificate.renewal_id, {}, ""};
  const auto window = [&] {
    const json body = json::parse(fixture.ca.handle(request, fixture.driver.now).value().body);
    return std::pair(acme::parse_rfc3339(body["suggestedWindow"]["start"].get<std::string>()),
                     acme::parse_rfc3339(body["suggestedWindow"]["end"].get<std::string>()));
  };
  const auto leaf = acme::parse_certificate(certificate.leaf).value();
  std::string serial;
  for (std::size_t i = 0; i < leaf.serial_number.size(); i += 2)
    serial.push_back(static_cast<char>(std::stoi(leaf.serial_number.substr(i, 2), nullptr, 16)));
  CHECK(certificate.renewal_id == acme::base64url_encode(leaf.authority_key_identifier) + "." +
                                      acme::base64url_encode(serial));
  const Time ideal = certificate.not_after - 30 * 24h;
  const Duration one_per_cent = 90 * 864s;
  CHECK((window().first == ideal - one_per_cent));
  CHECK((window().second == ideal + one_per_cent));
  const json payload = {{"certificate", acme::base64url_encode(certificate.leaf)}, {"reason", 4}};
  acme::Call revoke{acme::Call::Target::url, fixture.ca.settings.base_url + "/revoke-certificate",
                    payload.dump(), "", "revoke"};
  REQUIRE(fixture.driver.call(revoke));
  CHECK(window().second < fixture.driver.now);
  CHECK(fixture.driver.call(revoke).error().code == "CA_ALREADY_REVOKED");
}

TEST_CASE("the list that a certificate names tells of its revocation, over plain http") {
  Fixture fixture;
  const auto chain = fixture.issue({"shop.test"});
  REQUIRE(chain);
  const std::string url = fixture.ca.revocation_list_url();
  CHECK(url == "http://ca.test/crl");
  CHECK(chain->front().revocation_list_urls == std::vector<std::string>{url});
  const auto revocation = [&] {
    const auto reply = fixture.ca.handle({"GET", url, {}, ""}, fixture.driver.now);
    const auto list =
        acme::parse_revocation_list(reply.value().body, chain->at(1), url, fixture.driver.now);
    return list.value().find(chain->front().serial_number);
  };
  CHECK_FALSE(revocation());
  fixture.ca.revoke(fixture.ca.certificates().begin()->first, fixture.driver.now, 1);
  REQUIRE(revocation());
  CHECK(revocation()->reason == "keyCompromise");
  const std::string secure = fixture.ca.settings.base_url + "/crl";
  CHECK(fixture.ca.handle({"GET", secure, {}, ""}, fixture.driver.now)->status == 404);
  fixture.ca.settings.revocation_list = false;
  CHECK(fixture.issue({"shop.test"})->front().revocation_list_urls.empty());
}

TEST_CASE("`replaces` is accepted once, for a certificate of the account [RFC 9773 §5]") {
  Fixture fixture;
  REQUIRE(fixture.issue({"shop.test"}));
  const std::string renewal_id = fixture.ca.certificates().begin()->second.renewal_id;
  const auto order = [&](const std::string& name, const std::string& replaces) {
    const json payload = {{"identifiers", json::array({json{{"type", "dns"}, {"value", name}}})},
                          {"replaces", replaces}};
    const auto reply =
        fixture.driver.call({acme::Call::Target::new_order, "", payload.dump(), "", "new order"});
    return reply ? "accepted" : acme::string_member(json::parse(reply.error().problem), "type");
  };
  CHECK(order("shop.test", "AAAA.BBBB") == "urn:ietf:params:acme:error:malformed");
  CHECK(order("other.test", renewal_id) == "urn:ietf:params:acme:error:malformed");
  CHECK(order("shop.test", renewal_id) == "accepted");
  CHECK(order("shop.test", renewal_id) == "urn:ietf:params:acme:error:alreadyReplaced");
}

TEST_CASE("a CSR that does not fit the order is refused, and the order stays ready") {
  Fixture fixture;
  auto request = issuance_request(fixture.driver.session, {"shop.test"}, make_test_key());
  request.signing_request =
      acme::make_signing_request(make_test_key(), {{"dns", "other.test"}}).value();
  const auto outcome = fixture.driver.issue(request);
  CHECK(code_of(outcome) == "CA_BAD_CSR");
  CHECK(fixture.ca.orders().begin()->second.status == "ready");
  request.signing_request =
      acme::make_signing_request(fixture.account_key, {{"dns", "shop.test"}}).value();
  CHECK(code_of(fixture.driver.issue(request)) == "CA_BAD_CSR");
}

TEST_CASE("newOrder refuses what policy, syntax and limits forbid") {
  FakeCaSettings settings;
  settings.rejected_identifiers = {"bank.test"};
  settings.ip_identifiers = false;
  settings.profiles["short"] = {"six days", 160h};
  settings.orders_per_account = {3, 3h};
  Fixture fixture(settings);
  const auto order = [&](const std::string& payload) {
    const auto reply =
        fixture.driver.call({acme::Call::Target::new_order, "", payload, "", "new order"});
    return reply ? "accepted" : reply.error().code;
  };
  struct Row {
    const char* payload;
    const char* code;
  };
  const char* good = R"({"identifiers":[{"type":"dns","value":"shop.test"}]})";
  const Row rows[] = {
      {R"({})", "CA_MALFORMED"},
      {R"({"identifiers":[{"type":"dns","value":"Shop.test"}]})", "CA_MALFORMED"},
      {R"({"identifiers":[{"type":"dns","value":"a_b.test"}]})", "CA_MALFORMED"},
      {R"({"identifiers":[{"type":"dns","value":"a.test"},{"type":"dns","value":"a.test"}]})",
       "CA_MALFORMED"},
      {R"({"identifiers":[{"type":"ip","value":"192.0.2.1"}]})", "CA_UNSUPPORTED_IDENTIFIER"},
      {R"({"identifiers":[{"type":"dns","value":"bank.test"}]})", "CA_REJECTED_IDENTIFIER"},
      {R"({"identifiers":[{"type":"dns","value":"a.test"}],"profile":"long"})",
       "CA_INVALID_PROFILE"},
      {R"({"identifiers":[{"type":"dns","value":"a.test"}],"profile":"short"})", "accepted"},
      {R"({"identifiers":[{"type":"dns","value":"*.a.test"}]})", "accepted"},
      {good, "accepted"},
      {good, "CA_RATE_LIMITED"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.payload);
    CHECK(order(row.payload) == row.code);
  }
  CHECK(fixture.ca.counters().orders_created == 3);
}

TEST_CASE("a profile decides the lifetime") {
  FakeCaSettings settings;
  settings.profiles["short"] = {"six days", 160h};
  Fixture fixture(settings);
  auto request = issuance_request(fixture.driver.session, {"shop.test"}, make_test_key());
  request.profile = "short";
  const auto chain = fixture.driver.issue(request);
  REQUIRE(chain);
  CHECK(chain->front().not_after - chain->front().not_before == 160h);
}

TEST_CASE("an order that nobody finished expires, and an open one can be handed out again") {
  FakeCaSettings settings;
  settings.reuse_orders = true;
  Fixture fixture(settings);
  const acme::Call order{acme::Call::Target::new_order, "",
                         R"({"identifiers":[{"type":"dns","value":"shop.test"}]})", "",
                         "new order"};
  const std::string first(fixture.driver.call(order).value().header("Location"));
  CHECK(fixture.driver.call(order).value().header("Location") == first);
  CHECK(fixture.ca.counters().orders_created == 1);
  fixture.driver.now += 8 * 24h;
  const auto old = fixture.driver.call({acme::Call::Target::url, first, "", "", "order"}).value();
  CHECK(acme::parse_order(old.body)->status == "invalid");
  CHECK(fixture.driver.call(order).value().header("Location") != first);

  REQUIRE(fixture.issue({"shop.test"}));  // its authorization outlives the next order
  const auto ready = fixture.driver.call(order).value();
  CHECK(acme::parse_order(ready.body)->status == "ready");
  fixture.driver.now += 8 * 24h;
  const std::string url(ready.header("Location"));
  const auto late = fixture.driver.call({acme::Call::Target::url, url, "", "", "order"}).value();
  CHECK(acme::parse_order(late.body)->status == "invalid");
}

TEST_CASE("a key change is proved by both keys, and a used key is refused [RFC 8555 §7.3.5]") {
  Fixture fixture;
  const std::string kid = fixture.register_account();
  const std::string url = fixture.ca.settings.base_url + "/key-change";
  const auto change_to = [&](const acme::PrivateKey& key, const acme::PrivateKey& old_key) {
    const json change = {{"account", kid}, {"oldKey", acme::public_jwk(old_key)}};
    const json header = {{"url", url}, {"jwk", acme::public_jwk(key)}};
    const std::string inner = acme::sign_jws(key, header, change.dump()).value();
    const json outer = {{"url", url}, {"nonce", fixture.nonce()}, {"kid", kid}};
    return fixture.post(url, acme::sign_jws(fixture.account_key, outer, inner).value());
  };
  const acme::PrivateKey fresh = make_test_key();
  CHECK(change_to(fresh, fresh).status == 400);
  const auto conflict = change_to(fixture.account_key, fixture.account_key);
  CHECK(conflict.status == 409);
  CHECK(conflict.header("Location") == kid);
  CHECK(change_to(fresh, fixture.account_key).status == 200);
  CHECK(change_to(make_test_key(), fixture.account_key).status ==
        400);  // the old key signs no more
}

TEST_CASE("answers can be scripted and altered") {
  Fixture fixture;
  fixture.ca.settings.instead = [](CaEndpoint endpoint, const acme::HttpRequest&) {
    return endpoint == CaEndpoint::new_order
               ? std::optional(acme::HttpResponse{502, {}, "<html>bad gateway</html>"})
               : std::nullopt;
  };
  CHECK(fixture.issue({"shop.test"}).error().kind == ErrorKind::transient);
  fixture.ca.settings.instead = nullptr;
  fixture.ca.settings.alter = [](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint == CaEndpoint::certificate) response.body = "no certificate";
  };
  CHECK_FALSE(fixture.issue({"shop.test"}));
  fixture.ca.settings.alter = nullptr;
  CHECK(fixture.issue({"shop.test"}));
}

TEST_CASE("a CA forgets what expired long ago, and nothing that is still of use") {
  FakeCaSettings settings;
  settings.certificate_lifetime = 60 * 24h;
  Fixture fixture(settings);
  for (int month = 0; month < 24; ++month) {
    REQUIRE(fixture.issue({"shop.test"}));
    REQUIRE(fixture.issue({"other" + std::to_string(month) + ".test"}));
    for (const auto& [id, certificate] : fixture.ca.certificates())
      CHECK(certificate.not_after + 31 * 24h > fixture.driver.now);
    fixture.driver.now += 30 * 24h;
    fixture.ca.advance(fixture.driver.now);
  }
  CHECK(fixture.ca.counters().certificates_issued == 48);
  CHECK(fixture.ca.certificates().size() <= 6);
  CHECK(fixture.ca.certificates().size() >= 4);
  CHECK(fixture.ca.orders().size() <= 4);
  CHECK(fixture.ca.authorizations() <= 10);
}
