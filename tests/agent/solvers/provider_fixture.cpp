#include "tests/agent/solvers/provider_fixture.h"

#include <doctest/doctest.h>

namespace nolapse {

void ScriptedHttp::send(acme::HttpRequest request, HttpOptions how,
                        Completion<acme::HttpResponse> done) {
  const std::string line = request.method + " " + request.url;
  requests.push_back(request);
  options.push_back(std::move(how));
  if (script.empty()) {
    FAIL_CHECK("not expected: " << line << " " << request.body);
    clock_.post([done] { done(fail(ErrorKind::transient, "CA_UNREACHABLE", "no script")); });
    return;
  }
  const Exchange next = script.front();
  script.pop_front();
  CHECK(line == next.request);
  CHECK(request.body == next.body);
  acme::HttpResponse response{next.status, {}, next.reply};
  if (!next.retry_after.empty()) response.headers = {{"Retry-After", next.retry_after}};
  clock_.post([done, response] { done(response); });
}

ProviderFixture::ProviderFixture(const std::string& provider,
                                 std::map<std::string, std::string> settings) {
  challenge.name = "zone";
  challenge.type = "dns-01";
  challenge.provider = provider;
  challenge.settings = std::move(settings);
  record.name = "_acme-challenge.www.shop.example";
  record.zone = "shop.example";
  record.value = "v4lue";
  record.domain = "www.shop.example";
  record.token = "t0ken";
  record.key_authorization = "t0ken.thumb";
}

std::string ProviderFixture::add(std::vector<Exchange> script) {
  return change(&DnsProvider::add, std::move(script));
}

std::string ProviderFixture::remove(std::vector<Exchange> script) {
  return change(&DnsProvider::remove, std::move(script));
}

std::string ProviderFixture::change(Change what, std::vector<Exchange> script) {
  if (!provider_ || settings_ != challenge.settings) {
    World world = fake.world();
    settings_ = challenge.settings;
    provider_ =
        make_dns_provider(challenge, {world.clock, http, world.tls_probe, world.dns, world.files,
                                      world.processes, world.key_maker, world.http_responder,
                                      world.tls_alpn_responder, world.random, world.mail});
  }
  http.script.assign(script.begin(), script.end());
  std::optional<Result<void>> outcome;
  (*provider_.*what)(record, [&outcome](Result<void> result) {
    REQUIRE(!outcome);
    outcome = std::move(result);
  });
  REQUIRE(!outcome);  // never from inside the call
  REQUIRE(fake.clock.run_until([&outcome] { return outcome.has_value(); }));
  CHECK(http.script.empty());
  return *outcome ? "" : outcome->error().code + ": " + outcome->error().message;
}

}  // namespace nolapse
