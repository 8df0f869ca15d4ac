// A CA that gives no advice when to renew tells of a revocation by its list alone.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

FakeCaSettings without_advice() {
  FakeCaSettings settings;
  settings.renewal_info = false;
  return settings;
}

std::string newest_of(const FakeCa& ca) {
  const auto& all = ca.certificates();
  return std::max_element(
             all.begin(), all.end(),
             [](const auto& a, const auto& b) { return a.second.not_before < b.second.not_before; })
      ->first;
}

void revoke(DaemonScene& scene, int reason = 1) {
  scene.shop.ca.revoke(newest_of(scene.shop.ca), scene.shop.world.clock.true_time(), reason);
}

void refuse_orders(DaemonScene& scene) {
  scene.shop.ca.settings.instead =
      [](CaEndpoint endpoint, const acme::HttpRequest&) -> std::optional<acme::HttpResponse> {
    if (endpoint != CaEndpoint::new_order) return {};
    return acme::HttpResponse{500, {}, ""};
  };
}

int requests_for_lists(const Shop& shop) {
  const auto& all = shop.ca.counters().by_endpoint;
  const auto found = all.find(CaEndpoint::revocation_list);
  return found == all.end() ? 0 : found->second;
}

std::string key_of(const Shop& shop, int generation) {
  return shop.world.files.text(std::string(Shop::state) + "/certificates/shop/" +
                               std::to_string(generation) + "/privkey.pem");
}

}  // namespace

TEST_CASE("a revoked certificate is replaced within a day or so, and an error tells of it") {
  DaemonScene scene(201, without_advice());
  REQUIRE(scene.start());
  scene.run_for(3 * 24h);
  CHECK(scene.count("REVOKED") == 0);
  revoke(scene);
  REQUIRE(scene.run_until_event("REVOKED", 31h));
  const auto told = std::find_if(scene.events.begin(), scene.events.end(),
                                 [](const Event& event) { return event.code == "REVOKED"; });
  CHECK(told->severity == Severity::error);
  CHECK(told->message.starts_with("the CA has revoked it (keyCompromise) at 2026-11-26T09:00:"));
  scene.run_for(1min);
  CHECK(scene.issued() == 2);
  CHECK(scene.shop.status().ok());
  CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
  scene.run_for(10 * 24h);
  CHECK(scene.issued() == 2);
  CHECK(scene.count("REVOKED") == 1);
}

TEST_CASE("a compromised key is not used again, any other is where reuse_key says so") {
  for (const int reason : {1, 4}) {
    CAPTURE(reason);
    DaemonScene scene(202, without_advice());
    scene.shop.config.certificates[0].reuse_key = true;
    REQUIRE(scene.start());
    scene.run_for(1h);
    revoke(scene, reason);
    scene.run_for(31h);
    REQUIRE(scene.issued() == 2);
    CHECK((key_of(scene.shop, 1) == key_of(scene.shop, 2)) == (reason != 1));
  }
}

TEST_CASE("while a revoked certificate cannot be replaced an error tells of it every day") {
  DaemonScene scene(203, without_advice());
  REQUIRE(scene.start());
  scene.run_for(24h);
  revoke(scene);
  refuse_orders(scene);
  REQUIRE(scene.run_until_event("REVOKED", 31h));
  scene.run_for(1h);
  const CertificateStatus status = scene.shop.status();
  CHECK(status.renewal == RenewalHealth::failing);
  CHECK(status.renew_reason == "the CA has revoked it (keyCompromise)");
  scene.run_for(9 * 24h);
  CHECK(scene.count("REVOKED") >= 8);
  CHECK(scene.count("REVOKED") <= 11);
  // A restart knows without asking.
  const int asked = requests_for_lists(scene.shop);
  scene.kill();
  REQUIRE(scene.start());
  scene.shop.ca.settings.instead = nullptr;
  scene.run_for(2h);
  CHECK(requests_for_lists(scene.shop) == asked);
  CHECK(scene.issued() == 2);
}

TEST_CASE("what is revoked is not brought to a target any more, what replaces it is") {
  DaemonScene scene(204, without_advice());
  REQUIRE(scene.start());
  scene.run_for(24h);
  const KeyPair old = *scene.shop.nginx.serving();
  RenewOptions force;
  force.force = true;
  scene.daemon->renew(force, [](const std::vector<CertificateOutcome>&) {});
  scene.run_for(24h);
  REQUIRE(scene.issued() == 2);
  revoke(scene);
  refuse_orders(scene);
  REQUIRE(scene.run_until_event("REVOKED", 31h));
  const int hooks = scene.count("HOOK_STARTED");
  scene.shop.nginx.install(old);
  scene.shop.nginx.reload();
  scene.run_for(3 * 24h);
  CHECK(scene.count("HOOK_STARTED") == hooks);
  CHECK(scene.count("NOT_SERVED") >= 2);
  scene.shop.ca.settings.instead = nullptr;
  scene.run_for(2h);
  CHECK(scene.issued() == 3);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("when what replaced it is lost, the revoked one is not gone back to") {
  DaemonScene scene(211, without_advice());
  REQUIRE(scene.start());
  scene.run_for(24h);
  revoke(scene);
  scene.run_for(31h);
  REQUIRE(scene.issued() == 2);
  scene.shop.world.files.put(std::string(Shop::state) + "/certificates/shop/2/privkey.pem", "lost");
  refuse_orders(scene);
  const std::size_t before = scene.events.size();
  scene.run_for(2 * 24h);
  CHECK(std::none_of(scene.events.begin() + static_cast<std::ptrdiff_t>(before), scene.events.end(),
                     [](const Event& event) { return event.code == "HOOK_STARTED"; }));
  CHECK(scene.count("GENERATION_DAMAGED") >= 1);
  CHECK(scene.count("REVOKED") >= 2);
  scene.shop.ca.settings.instead = nullptr;
  scene.run_for(2h);
  CHECK(scene.issued() == 3);
  CHECK(scene.shop.status().ok());
}

TEST_CASE("a name that fails keeps the others in a revoked certificate for days, not for weeks") {
  DaemonScene scene(210, without_advice());
  scene.shop.world.add_local_name("www.shop.test");
  scene.shop.config.certificates[0].domains.push_back({"dns", "www.shop.test"});
  scene.shop.ca.settings.reuse_authorizations = false;
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.dns.name("www.shop.test").addresses.clear();
  revoke(scene);
  REQUIRE(scene.run_until_event("REVOKED", 31h));
  scene.run_for(2 * 24h);
  CHECK(scene.issued() >= 2);
  CHECK(scene.count("NAME_QUARANTINED") >= 1);
}

TEST_CASE("a list that cannot be had is a warning once, and holds up nothing") {
  const auto code = [](const char* body, int status) {
    DaemonScene scene(205, without_advice());
    REQUIRE(scene.start());
    scene.shop.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse& response) {
      if (endpoint != CaEndpoint::revocation_list) return;
      response.status = status;
      if (body != nullptr) response.body = body;
      if (status == 0) response = {200, {}, std::string(9 << 20, 'x')};
    };
    scene.run_for(65 * 24h);
    CHECK(scene.issued() == 2);
    CHECK(scene.count("CRL_FAILED") == 1);
    CHECK(scene.count("REVOKED") == 0);
    const int asked = requests_for_lists(scene.shop);
    CHECK(asked >= 65);
    CHECK(asked <= 65 * 5);
    // It works again, and fails anew.
    scene.shop.ca.settings.alter = nullptr;
    scene.run_for(2 * 24h);
    const Time now = scene.shop.world.clock.true_time();
    scene.shop.ca.settings.outages.push_back({now, now + 2 * 24h});
    scene.run_for(2 * 24h);
    CHECK(scene.count("CRL_FAILED") == 2);
  };
  code("", 200);
  code("<html>", 200);
  code(nullptr, 404);
  code(nullptr, 0);
}

TEST_CASE("a list that somebody else signed revokes nothing") {
  DaemonScene scene(206, without_advice());
  REQUIRE(scene.start());
  scene.run_for(24h);
  const Time now = scene.shop.world.clock.true_time();
  const TestIssuer forger = TestIssuer::root("Test CA Intermediate 1", now - 24h, now + 365 * 24h);
  scene.shop.ca.settings.alter = [&](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint != CaEndpoint::revocation_list) return;
    RevocationListOptions list;
    list.this_update = now;
    list.next_update = now + 30 * 24h;
    const auto serial = scene.shop.ca.certificates().begin()->second.serial;
    list.revoked = {{serial, now, 1}};
    list.place = scene.shop.ca.revocation_list_url();
    response.body = forger.sign_revocation_list(list);
  };
  scene.run_for(5 * 24h);
  CHECK(scene.issued() == 1);
  CHECK(scene.count("REVOKED") == 0);
  CHECK(scene.count("CRL_FAILED") == 1);
}

TEST_CASE("certificates that name the same list share one request for it, once a day") {
  DaemonScene scene(207, without_advice());
  for (int i = 0; i < 10; ++i) {
    scene.shop.add_certificate("more" + std::to_string(i), "more" + std::to_string(i) + ".test");
  }
  REQUIRE(scene.start());
  scene.run_for(24h);
  const int before = requests_for_lists(scene.shop);
  scene.run_for(10 * 24h);
  // Their looks lie some hours apart.
  CHECK(requests_for_lists(scene.shop) - before <= 10 * 6);
  CHECK(requests_for_lists(scene.shop) - before >= 10);
}

TEST_CASE("a dry run asks for no list, and no certificate without one is asked about") {
  Shop shop(208, without_advice());
  shop.renewed();
  RenewOptions dry;
  dry.dry_run = true;
  shop.renewed(dry);
  CHECK(requests_for_lists(shop) == 0);
  shop.renewed();
  CHECK(requests_for_lists(shop) == 1);

  FakeCaSettings none = without_advice();
  none.revocation_list = false;
  Shop other(209, none);
  other.renewed();
  other.renewed();
  CHECK(requests_for_lists(other) == 0);
}

// ---- what the CA recalls, by its advice [RFC 9773 §4.2]

namespace {

const std::string incident = "https://ca.test/incident/7";

// Every certificate, also those to come.
void recall(DaemonScene& scene) {
  const Time now = scene.shop.world.clock.true_time();
  scene.shop.ca.settings.renewal_window = CaWindow{now - 3h, now - 1h};
  scene.shop.ca.settings.alter = [](CaEndpoint endpoint, acme::HttpResponse& response) {
    if (endpoint != CaEndpoint::renewal_info) return;
    response.body.insert(response.body.rfind('}'), R"(,"explanationURL":")" + incident + '"');
  };
}

std::string last_told(const DaemonScene& scene, const std::string& code) {
  std::string message;
  for (const Event& event : scene.events) {
    if (event.code == code) message = event.message;
  }
  return message;
}

}  // namespace

TEST_CASE(
    "a certificate of an hour that the CA recalls is replaced at once, and an error says why") {
  DaemonScene scene(300);
  REQUIRE(scene.start());
  scene.run_for(1h);
  REQUIRE(scene.issued() == 1);
  recall(scene);
  REQUIRE(scene.run_until_event("RECALLED", 31h));  // the next poll of the CA's advice
  CHECK(last_told(scene, "RECALLED").find(incident) != std::string::npos);
  scene.run_for(1min);
  CHECK(scene.issued() == 2);
  CHECK(last_told(scene, "ISSUANCE_STARTED").find(incident) != std::string::npos);
  CHECK(scene.shop.fingerprint_served() == scene.shop.fingerprint_of_live());
  scene.shop.ca.settings.renewal_window.reset();
  scene.run_for(2 * 24h);
  CHECK(scene.count("RECALLED") == 1);
  CHECK(scene.issued() == 2);
  CHECK(scene.shop.status().ok());
}

TEST_CASE(
    "what replaces a recalled certificate is replaced a day later, if it is recalled as well") {
  DaemonScene scene(301);
  REQUIRE(scene.start());
  scene.run_for(1h);
  recall(scene);
  REQUIRE(scene.run_until_event("RECALLED", 31h));
  scene.run_for(12h);
  REQUIRE(scene.issued() == 2);
  // Whoever begins anew knows it, too.
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(11h);
  CHECK(scene.issued() == 2);
  CHECK(last_told(scene, "RECALLED").find("so was the one before it") != std::string::npos);
  scene.run_for(2h);
  CHECK(scene.issued() == 3);
}

TEST_CASE("a recall does not wait for what an earlier failure waits for") {
  DaemonScene scene(302);
  REQUIRE(scene.start());
  scene.run_for(1h);
  refuse_orders(scene);
  scene.shop.config.certificates[0].key_type = acme::KeyType::ecdsa_p384;
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(3 * 24h);
  REQUIRE(scene.shop.status().failures > 8);
  scene.shop.ca.settings.instead = nullptr;
  recall(scene);
  REQUIRE(scene.run_until_event("RECALLED", 31h));
  scene.run_for(1min);
  CHECK(scene.issued() == 2);
}
