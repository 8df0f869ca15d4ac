// The life of one certificate when nothing goes wrong, and when its deployment does.
#include <doctest/doctest.h>

#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Action = CertificateOutcome::Action;

TEST_CASE("renew obtains, deploys and verifies; status then says so on both axes") {
  Shop shop(1);
  CHECK(shop.status().renewal == RenewalHealth::missing);
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.action == Action::renewed);
  CHECK(outcome.deployments.at("nginx").stage == DeploymentStage::verified);
  CHECK(shop.ca.counters().orders_created == 1);
  CHECK(shop.fingerprint_served() == outcome.generation->leaf().fingerprint_sha256);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
  CHECK(shop.violation() == "");
  const CertificateStatus status = shop.status();
  CHECK(status.serving == Serving::ok);
  CHECK(status.renewal == RenewalHealth::ok);
  CHECK(status.generation->number == 1);
}

TEST_CASE("nothing is due until a third of the lifetime is left; then it is renewed") {
  FakeCaSettings settings;
  settings.renewal_info = false;
  Shop shop(2, settings);
  const CertificateOutcome first = shop.renewed();
  CHECK(shop.renewed().action == Action::not_due);
  const Time point = renewal_point(first.generation->leaf(), {});
  shop.world.clock.run_for(point - shop.world.clock.now() - 1h);
  CHECK(shop.renewed().action == Action::not_due);
  shop.world.clock.run_for(1h);
  CHECK(shop.status().renewal == RenewalHealth::due);
  const CertificateOutcome second = shop.renewed();
  CHECK(second.action == Action::renewed);
  CHECK(second.generation->number == 2);
  CHECK(shop.ca.counters().orders_created == 2);
  CHECK(shop.fingerprint_of_live() == second.generation->leaf().fingerprint_sha256);
}

TEST_CASE("a changed specification is due now, with its reason") {
  Shop shop(3);
  shop.renewed();
  SUBCASE("a name more") {
    shop.world.add_local_name("www.shop.test");
    shop.config.certificates[0].domains.push_back({"dns", "www.shop.test"});
    CHECK(shop.renewed().reason == "the configuration now names www.shop.test");
  }
  SUBCASE("another key") {
    shop.config.certificates[0].key_type = acme::KeyType::ecdsa_p384;
    CHECK(shop.renewed().reason == "the configured key is now ecdsa-p384");
  }
  CHECK(shop.ca.counters().orders_created == 2);
  CHECK(shop.renewed().action == Action::not_due);
}

TEST_CASE("every proof is taken away again and the state has no leftovers") {
  Shop shop(4);
  shop.renewed();
  CHECK(shop.world.files.list(std::string(Shop::state) + "/tmp")->empty());
  CHECK_FALSE(
      shop.world.files.exists(std::string(Shop::state) + "/certificates/shop/issuance.json"));
  CHECK(shop.world.http_responder.tokens() == 0);
}

TEST_CASE("keys are their owner's alone, certificates everybody's") {
  Shop shop(5);
  shop.renewed();
  const std::string state = Shop::state;
  CHECK(shop.world.files.mode(state + "/certificates/shop/1/privkey.pem") == 0600);
  CHECK(shop.world.files.mode(state + "/certificates/shop/1/fullchain.pem") == 0644);
  CHECK(shop.world.files.mode(state + "/accounts/ca/key.pem") == 0600);
  CHECK(shop.world.files.mode(state + "/accounts") == 0700);

  shop.config.certificates[0].group = "ssl-cert";
  RenewOptions force;
  force.force = true;
  shop.renewed(force);
  CHECK(shop.world.files.mode(state + "/certificates/shop/2/privkey.pem") == 0640);
  CHECK(shop.world.files.group(state + "/certificates/shop/2/privkey.pem") == "ssl-cert");
}

TEST_CASE("a changed group is given the keys that there are, once, and taken away again") {
  Shop shop(33);
  const std::string key = std::string(Shop::state) + "/certificates/shop/1/privkey.pem";
  const auto said = [&](const std::string& code) {
    return std::count_if(shop.trace.begin(), shop.trace.end(), [&](const std::string& line) {
      return line.find(" " + code + " ") != std::string::npos;
    });
  };
  shop.renewed();
  const std::string content = shop.world.files.text(key);
  struct Row {
    const char* group;
    unsigned mode;
    int told;
  };
  for (const Row& row : {Row{"", 0600, 0}, Row{"ssl-cert", 0640, 1}, Row{"ssl-cert", 0640, 1},
                         Row{"www", 0640, 2}, Row{"", 0600, 3}}) {
    CAPTURE(row.told);
    shop.config.certificates[0].group = row.group;
    CHECK(shop.renewed().action == Action::not_due);
    CHECK(shop.world.files.mode(key) == row.mode);
    CHECK(shop.world.files.group(key) == row.group);
    CHECK(said("KEY_GROUP_SET") == row.told);
  }
  CHECK(shop.world.files.text(key) == content);

  shop.config.certificates[0].group = "ssl-cert";
  shop.world.files.set_read_only(key, true);
  CHECK(shop.renewed().action == Action::not_due);
  CHECK(said("KEY_GROUP_NOT_SET") == 1);
}

TEST_CASE(
    "a broken web server configuration keeps the old certificate; the next run deploys again") {
  Shop shop(6);
  shop.renewed();
  const std::string old = shop.fingerprint_served();
  shop.nginx.broken_configuration = true;
  RenewOptions force;
  force.force = true;
  const CertificateOutcome failed = shop.renewed(force);
  CHECK(failed.action == Action::failed);
  CHECK(failed.issued);
  CHECK(shop.fingerprint_served() == old);
  CHECK(shop.fingerprint_of_live() == old);  // an untested pair is not made live
  CHECK(shop.status().serving == Serving::wrong);
  CHECK(shop.status().deployments.at("nginx").stage == DeploymentStage::failed);

  CHECK(shop.renewed().action == Action::failed);
  CHECK(shop.status().deployments.at("nginx").failures == 2);
  shop.nginx.broken_configuration = false;
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(shop.ca.counters().orders_created == 2);
  CHECK(shop.fingerprint_served() == failed.generation->leaf().fingerprint_sha256);
  CHECK(shop.fingerprint_of_live() == shop.fingerprint_served());
}

TEST_CASE("a reload that says yes and does nothing is not believed") {
  Shop shop(7);
  shop.renewed();
  shop.nginx.ignores_reload = true;
  RenewOptions force;
  force.force = true;
  const CertificateOutcome outcome = shop.renewed(force);
  CHECK(outcome.action == Action::failed);
  CHECK(outcome.error->code == "NOT_SERVED");
  CHECK(outcome.deployments.at("nginx").stage == DeploymentStage::reloaded);
  CHECK(outcome.deployments.at("nginx").last_error->code == "NOT_SERVED");
  shop.nginx.ignores_reload = false;
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(shop.status().ok());
}

TEST_CASE("somebody restored an old file: what is served has the last word") {
  Shop shop(8);
  shop.renewed();
  const KeyPair old = *shop.nginx.serving();
  RenewOptions force;
  force.force = true;
  shop.renewed(force);
  shop.nginx.install(old);
  shop.nginx.reload();
  CHECK(shop.status().serving == Serving::wrong);
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(shop.status().serving == Serving::ok);
  CHECK(shop.ca.counters().orders_created == 2);
}

TEST_CASE("a hook that hangs is a failure with a name, and the next run tries again") {
  Shop shop(9);
  shop.nginx.hangs = true;
  const CertificateOutcome outcome = shop.renewed();
  CHECK(outcome.error->code == "HOOK_TIMED_OUT");
  shop.nginx.hangs = false;
  CHECK(shop.renewed().action == Action::deployed);
  CHECK(shop.ca.counters().orders_created == 1);
}

TEST_CASE("one certificate that fails holds up no other") {
  Shop shop(10);
  shop.add_certificate("second", "second.test");
  shop.config.certificates.front().domains = {{"dns", "gone.test"}};  // resolves nowhere
  const auto outcomes = shop.renew();
  REQUIRE(outcomes.has_value());
  CHECK((**outcomes)[0].action == Action::failed);
  CHECK((**outcomes)[0].error->kind == ErrorKind::validation);
  CHECK((**outcomes)[1].issued);
}

TEST_CASE("--dry-run and --no-deploy do what they say") {
  Shop shop(11);
  RenewOptions dry;
  dry.dry_run = true;
  CHECK(shop.renewed(dry).action == Action::would_renew);
  CHECK(shop.ca.counters().requests == 0);
  RenewOptions no_deploy;
  no_deploy.deploy = false;
  CHECK(shop.renewed(no_deploy).action == Action::renewed);
  CHECK(shop.world.processes.started().empty());
  CHECK(shop.renewed().action == Action::deployed);
}

TEST_CASE("a run that finds the lock held changes nothing and says who holds it") {
  Shop shop(12);
  shop.world.files.put_directory(Shop::state);
  shop.world.files.hold_lock(std::string(Shop::state) + "/lock", "process 7 (nolapse renew)");
  const auto outcomes = shop.renew();
  REQUIRE(outcomes.has_value());
  CHECK((*outcomes).error().kind == ErrorKind::held);
  CHECK((*outcomes).error().message.find("process 7") != std::string::npos);
  CHECK(shop.ca.counters().requests == 0);
}

TEST_CASE("the same seed gives the same trace, byte for byte") {
  const auto life = [](std::uint64_t seed) {
    FakeCaSettings settings;
    settings.nonce_reject_percent = 20;
    Shop shop(seed, settings);
    shop.renewed();
    shop.world.clock.run_for(70 * 24h);
    shop.renewed();
    return shop.trace;
  };
  CHECK(life(13) == life(13));
}

namespace {

// The shop with a second CA to fall back on.
FakeCa& add_fallback(Shop& shop) {
  FakeCaSettings settings;
  settings.base_url = "https://fallback.test";
  settings.name = "Fallback CA";
  FakeCa& fallback = shop.world.add_ca(settings);
  std::string anchors = shop.world.files.text("/etc/nolapse/roots.pem");
  for (const std::string& anchor : fallback.trust_anchors()) anchors += pem_of(anchor);
  shop.world.files.put("/etc/nolapse/all-roots.pem", anchors);
  CaConfig ca = shop.config.cas[0];
  ca.name = "fallback";
  ca.directory = fallback.directory_url();
  shop.config.cas.push_back(ca);
  for (CaConfig& each : shop.config.cas) each.issuer_roots_file = "/etc/nolapse/all-roots.pem";
  shop.config.certificates[0].cas = {"ca", "fallback"};
  return fallback;
}

}  // namespace

TEST_CASE("while much is left a dead CA is waited for; when little is left the next one is asked") {
  Shop shop(20);
  FakeCa& fallback = add_fallback(shop);
  const CertificateOutcome first = shop.renewed();
  const Time expiry = first.generation->leaf().not_after;
  shop.ca.settings.outages.push_back({shop.world.clock.true_time(), expiry + 400 * 24h});
  shop.world.clock.run_for(expiry - 29 * 24h - shop.world.clock.now());
  CHECK(shop.renewed().action == Action::failed);
  CHECK(fallback.counters().orders_created == 0);
  shop.world.clock.run_for(15 * 24h);
  const CertificateOutcome second = shop.renewed();
  CHECK(second.action == Action::renewed);
  CHECK(second.generation->ca == "fallback");
  CHECK(shop.fingerprint_of_live() == second.generation->leaf().fingerprint_sha256);
  CHECK(shop.status().ok());

  // Home again when the next renewal is due and the first CA lives.
  shop.ca.settings.outages.clear();
  CHECK(shop.renewed().action == Action::not_due);
  shop.world.clock.run_for(61 * 24h);
  CHECK(shop.renewed().generation->ca == "ca");
}

TEST_CASE("the path under live never depends on the CA") {
  Shop shop(21);
  add_fallback(shop);
  shop.renewed();
  RenewOptions other;
  other.force = true;
  other.ca = "fallback";
  const CertificateOutcome outcome = shop.renewed(other);
  CHECK(outcome.generation->ca == "fallback");
  CHECK(shop.fingerprint_of_live() == outcome.generation->leaf().fingerprint_sha256);
}

TEST_CASE("the CA's advice is asked for, obeyed and not asked for too often [RFC 9773 §4.3]") {
  Shop shop(22);
  shop.renewed();
  shop.renewed();  // the first poll about this certificate
  const int polls = shop.ca.counters().by_endpoint.at(CaEndpoint::renewal_info);
  shop.renewed();
  CHECK(shop.ca.counters().by_endpoint.at(CaEndpoint::renewal_info) == polls);
  CHECK(shop.status().renew_reason.find("the CA advises") != std::string::npos);

  // An incident: the window is in the past, and everything is renewed at the next poll.
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.renewal_window = CaWindow{now - 1h, now - 30min};
  shop.world.clock.run_for(24h);
  CHECK(shop.renewed().action == Action::renewed);
  CHECK(shop.ca.counters().orders_created == 2);
}

TEST_CASE("a refusal of `replaces` costs nothing but a request [RFC 9773 §5]") {
  for (const char* refusal : {"alreadyReplaced", "malformed", "unauthorized", "serverInternal"}) {
    CAPTURE(refusal);
    Shop shop(23);
    shop.renewed();
    shop.ca.settings.replaces_refusal = refusal;
    RenewOptions force;
    force.force = true;
    CHECK(shop.renewed(force).action == Action::renewed);
    CHECK(shop.ca.counters().orders_created == 2);
  }
}

TEST_CASE("renewal information that is garbage, reversed or gone never stops a renewal") {
  for (const char* body : {"", "{", R"({"suggestedWindow":{"start":"x","end":"y"}})",
                           R"({"suggestedWindow":{"start":"2030-01-02T00:00:00Z",)"
                           R"("end":"2030-01-01T00:00:00Z"}})"}) {
    CAPTURE(body);
    Shop shop(24);
    shop.ca.settings.instead =
        [body](CaEndpoint endpoint, const acme::HttpRequest&) -> std::optional<acme::HttpResponse> {
      if (endpoint != CaEndpoint::renewal_info) return {};
      return acme::HttpResponse{200, {}, body};
    };
    shop.renewed();
    CHECK(shop.renewed().action == Action::not_due);
    shop.world.clock.run_for(61 * 24h);
    CHECK(shop.renewed().action == Action::renewed);
  }
}

TEST_CASE("a CA that cannot be reached for a moment costs a person no second command") {
  struct Row {
    Duration outage;
    std::optional<Duration> retry_after;
    bool renewed;
    int told;  // that it is tried again
  };
  for (const Row& row :
       {Row{2s, {}, true, 1}, Row{8s, {}, true, 2}, Row{1h, {}, false, 2}, Row{2s, 1h, false, 0}}) {
    CAPTURE(row.outage.count());
    Shop shop(31);
    const Time begin = shop.world.clock.true_time();
    const auto kind = row.retry_after ? CaOutage::Kind::unavailable : CaOutage::Kind::refused;
    shop.ca.settings.outages.push_back({begin, begin + row.outage, kind, row.retry_after});
    const auto outcome = shop.renewed();
    CHECK((outcome.action == CertificateOutcome::Action::renewed) == row.renewed);
    if (!row.renewed) CHECK(shop.world.clock.true_time() - begin < 50s);
    CHECK(std::count_if(shop.trace.begin(), shop.trace.end(), [](const std::string& line) {
            return line.find("; trying again in ") != std::string::npos;
          }) == row.told);
  }
}

TEST_CASE("the daemon does not insist on a CA, it comes back later") {
  Shop shop(32);
  shop.renewed();
  const Time now = shop.world.clock.true_time();
  shop.ca.settings.outages.push_back({now, now + 1h, CaOutage::Kind::refused});
  RenewOptions by_daemon;
  by_daemon.by_daemon = true;
  by_daemon.force = true;
  shop.renewed(by_daemon);
  for (const std::string& line : shop.trace) {
    CHECK(line.find("; trying again in ") == std::string::npos);
  }
}
