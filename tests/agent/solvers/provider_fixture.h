// A way into the DNS, made from its settings, in a world whose web services follow a script: each
// request is met with what was expected of it and gets the next reply.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "agent/solvers/dns_provider.h"
#include "tests/support/fake_world.h"

namespace nolapse {

struct Exchange {
  std::string request;    // "POST https://api.test/records"
  std::string body = {};  // of the request
  int status = 200;
  std::string reply = {};
  std::string retry_after = {};
};

class ScriptedHttp final : public Http {
 public:
  explicit ScriptedHttp(FakeClock& clock) : clock_(clock) {}
  void send(acme::HttpRequest request, HttpOptions options,
            Completion<acme::HttpResponse> done) override;

  std::deque<Exchange> script;                   // what is still to come
  std::vector<acme::HttpRequest> requests = {};  // what came
  std::vector<HttpOptions> options = {};

 private:
  FakeClock& clock_;
};

class ProviderFixture {
 public:
  ProviderFixture(const std::string& provider, std::map<std::string, std::string> settings);

  // The outcome's code and message, such as "DNS_PROVIDER_FAILED: …"; empty: it worked. What is
  // left of the script is a failure of the test.
  std::string add(std::vector<Exchange> script = {});
  std::string remove(std::vector<Exchange> script = {});

  FakeWorld fake{1};
  ScriptedHttp http{fake.clock};
  ChallengeConfig challenge;  // other settings make another provider
  DnsProvider::Record record;

 private:
  using Change = void (DnsProvider::*)(DnsProvider::Record, Completion<void>);
  std::string change(Change what, std::vector<Exchange> script);

  std::unique_ptr<DnsProvider> provider_;
  std::map<std::string, std::string> settings_;
};

}  // namespace nolapse
