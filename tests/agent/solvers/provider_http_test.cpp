// The two protocols over HTTP that several services speak, and what all ways over HTTP share.
#include <doctest/doctest.h>

#include "tests/agent/solvers/provider_fixture.h"

using namespace std::chrono_literals;

namespace nolapse {
namespace {

std::string header(const acme::HttpRequest& request, const std::string& name) {
  for (const acme::HttpHeader& each : request.headers) {
    if (each.name == name) return each.value;
  }
  return "";
}

TEST_CASE("httpreq posts the record, with a password from a file, in both of lego's modes") {
  ProviderFixture fixture("httpreq", {{"endpoint", "https://dns.test/api"},
                                      {"username", "shop"},
                                      {"password_file", "/etc/password"},
                                      {"roots", "/etc/roots.pem"},
                                      {"proxy", "http://proxy.test:3128"}});
  fixture.fake.files.put("/etc/password", "s3cret\n");
  const std::string body = R"({"fqdn":"_acme-challenge.www.shop.example.","value":"v4lue"})";
  CHECK(fixture.add({{"POST https://dns.test/api/present", body}}) == "");
  CHECK(header(fixture.http.requests[0], "Authorization") == "Basic c2hvcDpzM2NyZXQ=");
  CHECK(header(fixture.http.requests[0], "Content-Type") == "application/json");
  CHECK(fixture.http.options[0].roots_file == "/etc/roots.pem");
  CHECK(fixture.http.options[0].proxy == "http://proxy.test:3128");
  CHECK_FALSE(fixture.http.options[0].plain_http);
  CHECK(fixture.remove({{"POST https://dns.test/api/cleanup", body, 204}}) == "");

  fixture.challenge.settings = {{"endpoint", "http://127.0.0.1:8080"}, {"mode", "RAW"}};
  CHECK(fixture.add(
            {{"POST http://127.0.0.1:8080/present",
              R"({"domain":"www.shop.example","token":"t0ken","keyAuth":"t0ken.thumb"})"}}) == "");
  CHECK(header(fixture.http.requests[2], "Authorization") == "");
  CHECK(fixture.http.options[2].plain_http);
}

TEST_CASE("a refusal is told in the service's own words, and never with a secret") {
  struct Case {
    int status;
    std::string reply;
    std::string outcome;
  };
  const std::string at = ": POST https://dns.test/present: status ";
  const std::vector<Case> cases = {
      {401, "{\"message\":\"no\\nsuch\\u001b[2J user\"}",
       "DNS_PROVIDER_REFUSED" + at + "401: no such [2J user"},
      {403, "{\"errors\":[{\"code\":9109,\"message\":\"Invalid access token\"}]}",
       "DNS_PROVIDER_REFUSED" + at + "403: Invalid access token"},
      {422, "{\"error\":{\"code\":\"x\",\"message\":\"zone is read-only\"}}",
       "DNS_PROVIDER_REFUSED" + at + "422: zone is read-only"},
      {400, "<ErrorResponse><Error><Message>Bad &quot;x&quot;</Message></Error></ErrorResponse>",
       "DNS_PROVIDER_REFUSED" + at + "400: Bad &quot;x&quot;"},
      {400, "<Message>cut", "DNS_PROVIDER_REFUSED" + at + "400: cut"},
      {429, "slow down", "DNS_PROVIDER_FAILED" + at + "429: slow down"},
      {500, "", "DNS_PROVIDER_FAILED" + at + "500"},
      {301, "elsewhere", "DNS_PROVIDER_FAILED" + at + "301: elsewhere"},
      {403, "{\"detail\":\"s3cret-token is wrong\"}",
       "DNS_PROVIDER_REFUSED" + at + "403: *** is wrong"},
      {503, std::string(400, 'x'),
       "DNS_PROVIDER_FAILED" + at + "503: " + std::string(300, 'x') + "…"},
      {500, "{\"errors\":[],\"error\":[1],\"message\":2}",
       "DNS_PROVIDER_FAILED" + at + "500: {\"errors\":[],\"error\":[1],\"message\":2}"},
  };
  for (const Case& each : cases) {
    ProviderFixture fixture("httpreq",
                            {{"endpoint", "https://dns.test"}, {"password_file", "/etc/password"}});
    fixture.fake.files.put("/etc/password", "s3cret-token");
    const Exchange exchange{"POST https://dns.test/present",
                            R"({"fqdn":"_acme-challenge.www.shop.example.","value":"v4lue"})",
                            each.status, each.reply};
    CHECK(fixture.add(std::vector<Exchange>(each.status == 429 ? 5 : 1, exchange)) == each.outcome);
  }
}

TEST_CASE("a service that wants fewer requests is given time, up to a minute and five times") {
  const std::string throttled =
      "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>";
  struct Case {
    int status;
    std::string reply;
    std::string retry_after;
    std::size_t times;                 // that it says so
    std::chrono::milliseconds waited;  // by all of these
    bool refused;                      // at last
  };
  const std::vector<Case> cases = {
      {429, "", "7", 1, 7s, false},
      {429, "", "7", 4, 28s, false},
      {429, "", "", 4, 2s + 4s + 8s + 16s, false},
      {429, "", "0", 1, 1s, false},
      {429, "", "60", 1, 60s, false},
      {429, "", "61", 1, 0s, true},
      {429, "", "7", 5, 28s, true},
      {503, "", "3", 1, 3s, false},
      {503, "", "", 1, 0s, true},
      {400, throttled, "", 1, 2s, false},
      {400, "<Code>PriorRequestNotComplete</Code>", "", 2, 6s, false},
      {400, "<Code>InvalidInput</Code>", "", 1, 0s, true},
  };
  const std::string body = R"({"fqdn":"_acme-challenge.www.shop.example.","value":"v4lue"})";
  for (const Case& each : cases) {
    CAPTURE(each.status);
    CAPTURE(each.retry_after);
    ProviderFixture fixture("httpreq", {{"endpoint", "https://dns.test"}});
    std::vector<Exchange> script(each.times, {"POST https://dns.test/present", body, each.status,
                                              each.reply, each.retry_after});
    if (!each.refused) script.push_back({"POST https://dns.test/present", body});
    const auto began = fixture.fake.clock.uptime();
    CHECK(fixture.add(script).empty() != each.refused);
    CHECK(fixture.fake.clock.uptime() - began == each.waited);
  }
}

TEST_CASE("a throttled request is no mistake of the operator") {
  ProviderFixture fixture("httpreq", {{"endpoint", "https://dns.test"}});
  const Exchange exchange{"POST https://dns.test/present",
                          R"({"fqdn":"_acme-challenge.www.shop.example.","value":"v4lue"})", 400,
                          "<Code>Throttling</Code><Message>Rate exceeded</Message>"};
  CHECK(fixture.add(std::vector<Exchange>(5, exchange)) ==
        "DNS_PROVIDER_FAILED: POST https://dns.test/present: status 400: Rate exceeded");
}

TEST_CASE("a secret is one line of a file that is there") {
  ProviderFixture fixture("httpreq",
                          {{"endpoint", "https://dns.test"}, {"password_file", "/etc/password"}});
  CHECK(fixture.add().starts_with("FILE_MISSING: /etc/password"));
  for (const std::string content : {"", " \n", "a\nX-Header: b", "a\rb"}) {
    fixture.fake.files.put("/etc/password", content);
    CHECK(fixture.add() ==
          "BAD_SECRET: /etc/password: holds no secret; write it there, alone and on one line");
  }
}

const std::string account = R"({"username":"u","password":"p4ssword","subdomain":"5ub",)"
                            R"("fulldomain":"5ub.auth.test","allowfrom":[]})";

TEST_CASE("acme-dns updates the account whose name the record has, and removes nothing") {
  struct Case {
    std::string credentials;
    std::string server;  // where the update goes
  };
  const std::vector<Case> cases = {
      {account, "https://auth.acme-dns.io"},
      {"{\"www.shop.example\":" + account + "}", "https://auth.acme-dns.io"},
      {"{\"a.example\":{},\"b.example\":7,\"shop.example\":" + account + "}",
       "https://auth.acme-dns.io"},
      {account.substr(0, account.size() - 1) + R"(,"server_url":"https://own.test"})",
       "https://own.test"},
  };
  for (const Case& each : cases) {
    ProviderFixture fixture("acme-dns", {{"credentials_file", "/etc/acme-dns.json"}});
    fixture.record.name = "5ub.auth.test";
    fixture.fake.files.put("/etc/acme-dns.json", each.credentials);
    CHECK(fixture.add(
              {{"POST " + each.server + "/update", R"({"subdomain":"5ub","txt":"v4lue"})"}}) == "");
    CHECK(header(fixture.http.requests[0], "X-Api-User") == "u");
    CHECK(header(fixture.http.requests[0], "X-Api-Key") == "p4ssword");
    CHECK(fixture.remove() == "");
  }
}

TEST_CASE("acme-dns says what is missing before it asks the server") {
  struct Case {
    std::string credentials;
    std::string outcome;
  };
  const std::string none =
      "BAD_SECRET: /etc/acme-dns.json: holds no acme-dns account for "
      "_acme-challenge.www.shop.example (www.shop.example)";
  const std::string cname =
      "ACME_DNS_CNAME: the proof of www.shop.example belongs at _acme-challenge.www.shop.example, "
      "and the account in /etc/acme-dns.json is for 5ub.auth.test; let a CNAME lead from the first "
      "to the second";
  const std::vector<Case> cases = {
      {"", none},
      {"[]", none},
      {"{\"p4ssword\":", none},
      {"{\"other.example\":" + account + "}", none},
      {R"({"www.shop.example":{"username":"u","password":"a\nb","fulldomain":"x"}})", none},
      {account, cname},
      {"{\"www.shop.example\":" + account + "}", cname},
  };
  for (const Case& each : cases) {
    ProviderFixture fixture("acme-dns", {{"credentials_file", "/etc/acme-dns.json"}});
    fixture.fake.files.put("/etc/acme-dns.json", each.credentials);
    CHECK(fixture.add() == each.outcome);
  }
}

}  // namespace
}  // namespace nolapse
