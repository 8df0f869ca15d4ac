// CAA records seen before the CA is asked: what they forbid costs no failed validation at once, and
// what only we see never costs a certificate.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;

namespace {

struct Scene : Shop {
  Scene() : Shop(7), zone(world.dns.add_zone("shop.test", "192.0.2.53")) {}
  void add_caa(const std::string& name, const std::string& value) {
    zone.records.push_back({name, DnsType::caa, value});
  }
  bool told(const std::string& text) const {
    for (const std::string& line : trace) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  RenewOptions daemon() const {
    RenewOptions options;
    options.by_daemon = true;
    return options;
  }
  FakeDns::Zone& zone;
};

}  // namespace

TEST_CASE("77: the daemon does not ask a CA that the DNS forbids, at first") {
  Scene scene;
  scene.add_caa("shop.test", "0 issue other.test");
  const auto outcome = scene.renewed(scene.daemon());
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "CAA_FORBIDS_CA");
  CHECK(outcome.error->message.find("CAA at shop.test: issue \"other.test\"") != std::string::npos);
  CHECK(scene.ca.counters().orders_created == 0);
}

TEST_CASE("what only we see delays once, then the CA decides") {
  Scene scene;
  scene.add_caa("shop.test", "0 issue other.test");
  scene.renewed(scene.daemon());
  scene.world.clock.run_for(std::chrono::hours(24));
  CHECK(scene.renewed(scene.daemon()).action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("the CA is asked all the same"));
}

TEST_CASE("a person is told, and the CA is asked") {
  Scene scene;
  scene.add_caa("shop.test", "0 issue other.test");
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("CAA_FORBIDS_CA"));
}

TEST_CASE("records that allow it, on the name or above, say nothing") {
  for (const char* name : {"shop.test", "test"}) {
    Scene scene;
    if (std::string(name) == "test") scene.world.dns.add_zone("test", "192.0.2.54");
    scene.world.dns.zone(name).records.push_back({name, DnsType::caa, "0 issue ca.test"});
    CHECK(scene.renewed(scene.daemon()).action == CertificateOutcome::Action::renewed);
    CHECK_FALSE(scene.told("CAA_FORBIDS_CA"));
  }
}

TEST_CASE("77: a look-up that fails forbids as well, and names the server") {
  Scene scene;
  scene.zone.servers.front().fault = FakeDns::Fault::server_failure;
  const auto outcome = scene.renewed(scene.daemon());
  REQUIRE(outcome.error);
  CHECK(outcome.error->code == "CAA_FORBIDS_CA");
  CHECK(outcome.error->message.find("ns1.shop.test answers SERVFAIL") != std::string::npos);
  CHECK(outcome.error->kind == ErrorKind::transient);  // tried again in a minute
}

TEST_CASE("53: a CA's own refusal is told beside what was seen from here [RFC 8555 §7.4]") {
  Scene scene;
  scene.ca.settings.instead = [](CaEndpoint endpoint,
                                 const acme::HttpRequest&) -> std::optional<acme::HttpResponse> {
    if (endpoint != CaEndpoint::new_order) return std::nullopt;
    return acme::HttpResponse{
        403,
        {{"Content-Type", "application/problem+json"}},
        R"({"type":"urn:ietf:params:acme:error:caa","detail":"CAA says no"})"};
  };
  const auto outcome = scene.renewed();
  REQUIRE(outcome.error);
  INFO(outcome.error->message);
  CHECK(outcome.error->message.find(
            "CAA says no (caa); seen from here, the CAA records allow it") != std::string::npos);
}

TEST_CASE("a second CA that the records allow is asked at once") {
  Scene scene;
  FakeCaSettings settings;
  settings.base_url = "https://second.test";
  settings.name = "Second CA";
  settings.caa_identities = {"second.test"};
  scene.world.add_ca(settings);
  CaConfig second = scene.config.cas.front();
  second.name = "second";
  second.directory = "https://second.test/directory";
  second.issuer_roots_file.clear();
  second.roots_file = "/etc/nolapse/second.pem";  // a private CA
  scene.config.cas.push_back(second);
  scene.config.certificates[0].cas = {"ca", "second"};
  scene.add_caa("shop.test", "0 issue second.test");
  const auto outcome = scene.renewed(scene.daemon());
  REQUIRE(outcome.generation);
  CHECK(outcome.generation->ca == "second");
  CHECK(scene.ca.counters().orders_created == 0);
}
