// Directory, nonces, account and signing, as the wire sees them.
#include "acme/session.h"

#include <doctest/doctest.h>

#include "acme/base64url.h"
#include "tests/support/jws_verifier.h"

using namespace nolapse::acme;
using nlohmann::json;

namespace {

const char* directory_text =
    R"({"newNonce":"https://ca/nonce","newAccount":"https://ca/account","newOrder":
        "https://ca/order","random":"entry","meta":{"termsOfService":"https://ca/terms"},
        "keyChange":"https://ca/key-change","revokeCert":"https://ca/revoke"})";

class Wire {
 public:
  explicit Wire(bool agreed = true, std::string eab_key_id = {})
      : key(*PrivateKey::generate(KeyType::ecdsa_p256)),
        session("https://ca/directory", key,
                {{"mailto:ops@shop.test"}, agreed, std::move(eab_key_id), "mac"}) {}

  const HttpRequest& next() {
    auto result = session.next(call);
    REQUIRE(result);
    request = std::move(*result);
    return request;
  }
  std::optional<Result<HttpResponse>> receive(int status, const std::string& body,
                                              std::vector<HttpHeader> headers = {}) {
    return session.receive(call, HttpResponse{status, std::move(headers), body}, now);
  }
  json header() const {
    const json jws = json::parse(request.body);
    return json::parse(*base64url_decode(jws["protected"].get<std::string>()));
  }
  json payload() const {
    const json jws = json::parse(request.body);
    return json::parse(*base64url_decode(jws["payload"].get<std::string>()));
  }
  // Up to the point where `call` itself is sent.
  void open() {
    next();
    CHECK_FALSE(receive(200, directory_text));
    next();
    CHECK_FALSE(receive(200, "", nonce("n1")));
    next();
    auto headers = nonce("n2");
    headers.push_back({"Location", "https://ca/account/1"});
    CHECK_FALSE(receive(201, "{}", headers));
  }
  static std::vector<HttpHeader> nonce(const std::string& value) {
    return {{"Replay-Nonce", value}};
  }

  PrivateKey key;
  Session session;
  Call call{Call::Target::url, "https://ca/thing", "{}", "", "a thing"};
  HttpRequest request;
  Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
};

}  // namespace

TEST_CASE(
    "directory, nonce and account come before the first call, by themselves [RFC 8555 §7.1]") {
  Wire wire;
  CHECK(wire.next().url == "https://ca/directory");
  CHECK(wire.request.method == "GET");
  CHECK_FALSE(wire.receive(200, directory_text));

  CHECK(wire.next().url == "https://ca/nonce");
  CHECK(wire.request.method == "HEAD");
  CHECK_FALSE(wire.receive(200, "", Wire::nonce("n1")));

  CHECK(wire.next().url == "https://ca/account");
  CHECK(wire.header()["nonce"] == "n1");
  CHECK(wire.header()["url"] == "https://ca/account");
  CHECK(wire.header().contains("jwk"));
  CHECK_FALSE(wire.header().contains("kid"));
  CHECK(wire.payload() ==
        json{{"termsOfServiceAgreed", true}, {"contact", {"mailto:ops@shop.test"}}});
  CHECK_FALSE(
      wire.receive(201, "{}", {{"Replay-Nonce", "n2"}, {"Location", "https://ca/account/1"}}));
  CHECK(wire.session.account_url() == "https://ca/account/1");

  CHECK(wire.next().url == "https://ca/thing");
  CHECK(wire.header() == json{{"alg", "ES256"},
                              {"kid", "https://ca/account/1"},
                              {"nonce", "n2"},
                              {"url", "https://ca/thing"}});
  REQUIRE(wire.request.headers.size() == 1);
  CHECK(wire.request.headers[0].value == "application/jose+json");
  const auto reply = wire.receive(200, "done");
  REQUIRE(reply);
  CHECK((*reply)->body == "done");
}

TEST_CASE("a reply without Replay-Nonce makes the next request fetch one [RFC 8555 §6.5]") {
  Wire wire;
  wire.open();
  wire.next();
  CHECK(wire.receive(200, "done"));
  CHECK(wire.next().method == "HEAD");
}

TEST_CASE("nonces are used verbatim, illegal ones ignored [RFC 8555 §6.5.1]") {
  const std::string huge = std::string(299, 'x') + "_-";
  Wire wire;
  wire.open();
  wire.next();
  CHECK(wire.receive(200, "done", {{"Replay-Nonce", "not legal"}, {"Replay-Nonce", huge}}));
  wire.next();
  CHECK(wire.header()["nonce"] == huge);
  CHECK(wire.receive(200, "done", Wire::nonce("a=b")));
  CHECK(wire.next().method == "HEAD");
}

TEST_CASE("badNonce is retried with the nonce of the refusal, and only so often [RFC 8555 §6.5]") {
  const char* refusal = R"({"type":"urn:ietf:params:acme:error:badNonce","detail":"old"})";
  Wire wire;
  wire.open();
  std::string nonce = "n2";
  for (int tries = 1;; ++tries) {
    wire.next();
    CHECK(wire.header()["nonce"] == nonce);
    nonce = "fresh" + std::to_string(tries);
    const auto reply = wire.receive(400, refusal, Wire::nonce(nonce));
    if (!reply) {
      REQUIRE(tries < 30);
      continue;
    }
    CHECK((*reply).error().kind == ErrorKind::transient);
    CHECK((*reply).error().code == "CA_BAD_NONCE");
    CHECK(tries == 10);
    break;
  }
}

TEST_CASE("badNonce without a new nonce fetches one instead of spending the rest of the pool") {
  Wire wire;
  wire.open();
  wire.next();
  CHECK_FALSE(wire.receive(400, R"({"type":"urn:ietf:params:acme:error:badNonce"})"));
  CHECK(wire.next().method == "HEAD");
}

TEST_CASE("terms that nobody agreed to are not agreed to [RFC 8555 §7.3]") {
  Wire wire(false);
  wire.next();
  CHECK_FALSE(wire.receive(200, directory_text));
  wire.next();
  CHECK_FALSE(wire.receive(200, "", Wire::nonce("n1")));
  const auto request = wire.session.next(wire.call);
  REQUIRE_FALSE(request);
  CHECK(request.error().code == "TERMS_NOT_AGREED");
  CHECK(request.error().kind == ErrorKind::input);
  CHECK(request.error().message.find("https://ca/terms") != std::string::npos);
}

TEST_CASE("a required external account binding is missed before any POST [RFC 8555 §7.3.4]") {
  const char* text =
      R"({"newNonce":"n","newAccount":"a","newOrder":"o","meta":{"externalAccountRequired":true}})";
  Wire without;
  without.next();
  CHECK_FALSE(without.receive(200, text));
  without.next();
  CHECK_FALSE(without.receive(200, "", Wire::nonce("n1")));
  CHECK(without.session.next(without.call).error().code == "EAB_REQUIRED");

  Wire with(true, "kid-1");
  with.next();
  CHECK_FALSE(with.receive(200, text));
  with.next();
  CHECK_FALSE(with.receive(200, "", Wire::nonce("n1")));
  with.next();
  CHECK(with.payload().contains("externalAccountBinding"));
}

TEST_CASE(
    "onlyReturnExisting creates nothing, and needs neither terms nor binding [RFC 8555 §7.3.1]") {
  Wire wire(false);
  wire.session.only_return_existing(true);
  wire.call.target = Call::Target::account;
  wire.next();
  CHECK_FALSE(wire.receive(200, directory_text));
  wire.next();
  CHECK_FALSE(wire.receive(200, "", Wire::nonce("n1")));
  wire.next();
  CHECK(wire.payload() == json{{"onlyReturnExisting", true}});
}

TEST_CASE("a key change is signed by both keys, the inner JWS by the new one [RFC 8555 §7.3.5]") {
  for (const KeyType type : {KeyType::ecdsa_p256, KeyType::ecdsa_p384, KeyType::rsa_2048}) {
    CAPTURE(name_of(type));
    Wire wire;
    wire.call = {Call::Target::key_change, {}, {}, {}, "key change"};
    wire.call.key = *PrivateKey::generate(type);
    wire.open();
    CHECK(wire.next().url == "https://ca/key-change");
    const auto outer = nolapse::parse_jws(json::parse(wire.request.body));
    REQUIRE(outer);
    CHECK(outer->text("kid") == "https://ca/account/1");
    CHECK(nolapse::verify_signature(*outer, wire.key));

    const auto inner = nolapse::parse_jws(json::parse(outer->payload));
    REQUIRE(inner);
    CHECK(nolapse::verify_signature(*inner, wire.call.key));
    CHECK_FALSE(inner->header.contains("nonce"));
    CHECK_FALSE(inner->header.contains("kid"));
    CHECK(inner->text("url") == "https://ca/key-change");
    CHECK(inner->header["jwk"] == public_jwk(wire.call.key));
    CHECK(json::parse(inner->payload) ==
          json{{"account", "https://ca/account/1"}, {"oldKey", public_jwk(wire.key)}});

    // And from then on the new one signs.
    CHECK(wire.receive(200, "{}", Wire::nonce("n3")));
    const PrivateKey new_key = wire.call.key;
    wire.session.replace_key(new_key);
    CHECK(wire.session.thumbprint() == jwk_thumbprint(new_key));
    wire.call = {Call::Target::own_account, {}, "{}", {}, "account"};
    CHECK(wire.next().url == "https://ca/account/1");
    const auto after = nolapse::parse_jws(json::parse(wire.request.body));
    REQUIRE(after);
    CHECK(nolapse::verify_signature(*after, new_key));
  }
}

TEST_CASE("a revocation is signed for the account, or with a key alone [RFC 8555 §7.6]") {
  Wire wire;
  wire.call = {Call::Target::revocation, {}, R"({"certificate":"AA"})", {}, "revocation"};
  wire.open();
  CHECK(wire.next().url == "https://ca/revoke");
  CHECK(wire.header()["kid"] == "https://ca/account/1");
  CHECK(wire.payload() == json{{"certificate", "AA"}});

  // With its own key no account is needed, and none is made.
  Wire without;
  without.call = wire.call;
  without.call.key = *PrivateKey::generate(KeyType::rsa_2048);
  without.next();
  CHECK_FALSE(without.receive(200, directory_text));
  without.next();
  CHECK_FALSE(without.receive(200, "", Wire::nonce("n1")));
  CHECK(without.next().url == "https://ca/revoke");
  CHECK_FALSE(without.header().contains("kid"));
  CHECK(without.header()["jwk"] == public_jwk(without.call.key));
  const auto message = nolapse::parse_jws(json::parse(without.request.body));
  REQUIRE(message);
  CHECK(nolapse::verify_signature(*message, without.call.key));
}

TEST_CASE("looking up the account of a key makes none and changes nothing [RFC 8555 §7.3.1]") {
  Wire wire;
  wire.open();
  wire.call = {Call::Target::look_up, {}, {}, {}, "looking up"};
  wire.call.key = *PrivateKey::generate(KeyType::ecdsa_p256);
  CHECK(wire.next().url == "https://ca/account");
  CHECK(wire.payload() == json{{"onlyReturnExisting", true}});
  CHECK(wire.header()["jwk"] == public_jwk(wire.call.key));
  const auto reply = wire.receive(200, "{}", {{"Location", "https://ca/account/2"}});
  REQUIRE(reply);
  CHECK((*reply)->header("Location") == "https://ca/account/2");
  CHECK(wire.session.account_url() == "https://ca/account/1");
}

TEST_CASE("what the directory does not have is not asked for [RFC 8555 §7.1.1]") {
  for (const Call::Target target : {Call::Target::key_change, Call::Target::revocation}) {
    Wire wire;
    wire.call = {target, {}, {}, {}, "it"};
    wire.next();
    CHECK_FALSE(wire.receive(200, R"({"newNonce":"n","newAccount":"a","newOrder":"o"})"));
    const auto request = wire.session.next(wire.call);
    REQUIRE_FALSE(request);
    CHECK(request.error().code == "NOT_OFFERED");
  }
}

TEST_CASE("directories of any shape either work or are refused in one line [RFC 8555 §7.1.1]") {
  CHECK(parse_directory(directory_text));
  CHECK(
      parse_directory(R"( {"newNonce":"a","newAccount":"b","newOrder":"c","meta":7,"x":[[{}]]} )"));
  for (const char* text : {"", "<html>", "[]", "{}", R"({"newNonce":"a","newAccount":"b"})",
                           R"({"newNonce":1,"newAccount":"b","newOrder":"c"})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_directory(text));
  }
}

TEST_CASE("a directory that answers 503 is a transient error with its Retry-After") {
  Wire wire;
  wire.next();
  const auto reply = wire.receive(503, "<html>busy</html>", {{"Retry-After", "120"}});
  REQUIRE(reply);
  CHECK((*reply).error().kind == ErrorKind::transient);
  CHECK((*reply).error().retry_after == wire.now + std::chrono::seconds(120));
}
