// The ways to prove control, through the whole agent: each of them obtains, leaves nothing behind
// whatever dies when, and stands in for another.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

// A shop whose zone is served and may be changed.
struct Scene : Shop {
  explicit Scene(std::vector<std::string> challenges, FakeCaSettings settings = {})
      : Shop(7, std::move(settings)), zone(world.dns.add_zone("shop.test", "192.0.2.53")) {
    ChallengeConfig dns;
    dns.name = "zone";
    dns.type = "dns-01";
    dns.provider = "rfc2136";
    dns.settings = {{"server", "192.0.2.53:53"}};
    dns.validation_port = 53;
    config.challenges["zone"] = dns;
    ChallengeConfig tls;
    tls.name = "tls";
    tls.type = "tls-alpn-01";
    tls.listen = "[::]:443";
    tls.validation_port = 443;
    config.challenges["tls"] = tls;
    ChallengeConfig record;
    record.name = "record";
    record.type = "dns-persist-01";
    record.validation_port = 53;
    config.challenges["record"] = record;
    config.certificates[0].challenges = std::move(challenges);
  }
  int told(const std::string& code) const {
    int count = 0;
    for (const std::string& line : trace) count += line.find(" " + code + " ") != std::string::npos;
    return count;
  }
  std::size_t left() const {
    return zone.records.size() + world.tls_alpn_responder.certificates() +
           world.http_responder.tokens();
  }
  // What the operator is told to set is set.
  void set_record(const std::string& more = {}) {
    const std::string& line = trace.back();
    const std::size_t begin = line.find('"') + 1;
    REQUIRE(begin != 0);
    zone.records.push_back({"_validation-persist.shop.test", DnsType::txt,
                            line.substr(begin, line.find('"', begin) - begin) + more});
  }
  FakeDns::Zone& zone;
};

FakeCaSettings without_reuse() {
  FakeCaSettings settings;
  settings.reuse_authorizations = false;
  return settings;
}

}  // namespace

TEST_CASE("each challenge obtains a certificate, and nothing is left behind") {
  for (const char* challenge : {"web", "zone", "tls"}) {
    CAPTURE(challenge);
    Scene scene({challenge});
    const auto outcome = scene.renewed();
    CHECK(outcome.action == CertificateOutcome::Action::renewed);
    CHECK(scene.told("PROOF_SEEN") == 1);
    CHECK(scene.left() == 0);
    CHECK(scene.violation().empty());
  }
}

TEST_CASE("a wildcard beside its name is obtained through the DNS") {
  Scene scene({"zone"});
  scene.config.certificates[0].domains.push_back({"dns", "*.shop.test"});
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.left() == 0);
}

TEST_CASE("where the first challenge fails, the second is tried at once, and first the next time") {
  Scene scene({"web", "zone"}, without_reuse());
  scene.world.validation.firewalled = true;
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("CHALLENGE_FAILED_OVER") == 1);
  CHECK(scene.ca.counters().failed_validations == 1);
  RenewOptions again;
  again.force = true;
  CHECK(scene.renewed(again).action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("CHALLENGE_FAILED_OVER") == 1);
  CHECK(scene.ca.counters().failed_validations == 1);
  CHECK(scene.left() == 0);
}

TEST_CASE("a port in use is a challenge that fails") {
  Scene scene({"web", "tls"});
  scene.world.http_responder.occupy(80, "another");
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("PORT_IN_USE") == 1);
  CHECK(scene.ca.counters().failed_validations == 0);
}

TEST_CASE("where all challenges fail, the last one's fault is told, and each is tried once") {
  Scene scene({"web", "zone"});
  scene.world.validation.firewalled = true;
  scene.zone.servers.front().fault = FakeDns::Fault::server_failure;
  const auto outcome = scene.renewed();
  CHECK(outcome.action == CertificateOutcome::Action::failed);
  REQUIRE(outcome.error);
  CHECK(outcome.error->message.find("SERVFAIL") != std::string::npos);
  CHECK(scene.told("CHALLENGE_FAILED_OVER") == 1);
}

TEST_CASE("a CA that is down is not the challenge's fault") {
  Scene scene({"web", "zone"});
  scene.world.http.route("https://ca.test").fault = FakeHttp::Fault::refused;
  CHECK(scene.renewed().action == CertificateOutcome::Action::failed);
  CHECK(scene.told("CHALLENGE_FAILED_OVER") == 0);
}

TEST_CASE("44: whenever it dies on the way, no record stays and the certificate is obtained") {
  for (const auto death : {Shop::Death::kill, Shop::Death::power_failure}) {
    for (int steps = 1; steps < 400; steps += 3) {
      CAPTURE(steps);
      Scene scene({"zone"});
      const bool ended = scene.renew_and_die_after_steps(steps, death).has_value();
      CHECK(scene.renewed().error == std::nullopt);
      CHECK(scene.zone.records.empty());
      CHECK(scene.violation().empty());
      if (ended) break;
    }
  }
}

TEST_CASE("a record that cannot be taken away is taken away later") {
  Scene scene({"zone"});
  // The zone's primary is gone from the moment the CA has validated.
  scene.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint == CaEndpoint::authorization &&
        response.body.find("\"valid\"") != std::string::npos)
      scene.zone.servers.front().fault = FakeDns::Fault::server_failure;
  };
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.told("CHALLENGE_LEFT_BEHIND") == 1);
  CHECK(scene.zone.records.size() == 1);
  scene.ca.settings.alter = nullptr;
  scene.zone.servers.front().fault = FakeDns::Fault::none;
  scene.renewed();
  CHECK(scene.zone.records.empty());
}

TEST_CASE("80: a permanent record is asked for before the CA is, and serves for each renewal") {
  Scene scene({"record"}, without_reuse());
  const auto refused = scene.renewed();
  REQUIRE(refused.error);
  CHECK(refused.error->code == "PROOF_TO_BE_SET");
  CHECK(refused.error->message.starts_with(
      "_validation-persist.shop.test: there is no such record; set this record: "
      "_validation-persist.shop.test. TXT \"ca.test; accounturi=https://ca.test/"));
  CHECK(scene.ca.counters().failed_validations == 0);
  scene.trace.push_back(refused.error->message);
  scene.set_record();
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.ca.counters().orders_created == 1);  // gone on with
  scene.world.clock.run_for(65 * 24h);
  CHECK(scene.renewed().action == CertificateOutcome::Action::renewed);
  CHECK(scene.zone.records.size() == 1);
  CHECK(scene.told("PROOF_ENDS") == 0);
  CHECK(scene.violation().empty());
}

TEST_CASE("80: the CA is asked in the end about a record that only we do not see") {
  Scene scene({"record"}, without_reuse());
  for (int i = 0; i < 2; ++i) CHECK(scene.renewed().error->code == "PROOF_TO_BE_SET");
  CHECK(scene.ca.counters().failed_validations == 0);
  CHECK(scene.renewed().error->code == "CA_UNAUTHORIZED");
  CHECK(scene.told("PROOF_NOT_SEEN") == 1);
  CHECK(scene.ca.counters().failed_validations == 1);
}

TEST_CASE("80: a record that is for no wildcard is named, and one that ends is told of in time") {
  Scene scene({"record"}, without_reuse());
  CHECK(scene.renewed().error);
  const auto message_of = [&] { return scene.renewed().error->message; };
  scene.trace.push_back(message_of());
  // Ninety days, renewed after sixty: the next renewal is before this, the one after it is not.
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(
      (scene.world.clock.now() + 70 * 24h).time_since_epoch());
  scene.set_record("; persistUntil=" + std::to_string(until.count()));
  CHECK(scene.renewed().issued);
  CHECK(scene.told("PROOF_ENDS") == 1);
  scene.config.certificates[0].domains.push_back({"dns", "*.shop.test"});
  const std::string message = message_of();
  CHECK(message.find("its record has no policy=wildcard") != std::string::npos);
  CHECK(message.find("; policy=wildcard\"") != std::string::npos);
}

TEST_CASE("where the CA saw what we did not, the next proof is not waited for in full") {
  Scene scene({"zone"}, without_reuse());
  // A secondary that only we can reach, and that never learns of anything.
  scene.world.dns.name("ns2.shop.test").addresses = {"192.0.2.54"};
  scene.zone.servers.push_back({"ns2.shop.test", "192.0.2.54:53", 24h});
  const auto took = [&] {
    RenewOptions force;
    force.force = true;
    const Time begin = scene.world.clock.now();
    const auto outcome = scene.renewed(force);
    CAPTURE((outcome.error ? outcome.error->message : ""));
    CHECK(outcome.issued);
    return scene.world.clock.now() - begin;
  };
  CHECK(took() > 10min);
  CHECK_FALSE(scene.status().proof->seen);
  CHECK(scene.status().proof->took >= 10min);
  CHECK(took() < 2min);
  scene.zone.servers.pop_back();
  CHECK(took() < 1min);
  CHECK(scene.status().proof->seen);
  CHECK(scene.told("PROOF_NOT_SEEN") == 2);
}
