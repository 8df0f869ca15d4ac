// Probes of every challenge: what they find, that they leave nothing, and whom they do not disturb.
#include <doctest/doctest.h>

#include "acme/challenge_response.h"
#include "agent/core/checks/proof_probe.h"
#include "agent/solvers/solvers.h"
#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

struct Scene : CheckScene {
  Scene() : zone(world.dns.add_zone("shop.test", "192.0.2.53")) {
    add_certificate("shop", "shop.test");
  }
  CertificateSpec& shop() { return config.certificates.front(); }
  ChallengeConfig& web() { return config.challenges.at("web"); }
  void prove_by(const std::string& name, const std::string& type) {
    ChallengeConfig& challenge = add_challenge(name, type);
    challenge.listen = "[::]:443";
    challenge.provider = "rfc2136";
    challenge.settings = {{"server", "192.0.2.53:53"}};
    shop().challenges = {name};
  }
  std::vector<Finding> found() {
    auto findings = check(proof_checks());
    // Whatever was found, nothing is left.
    CHECK(world.http_responder.tokens() == 0);
    CHECK(world.tls_alpn_responder.certificates() == 0);
    return findings;
  }
  Lines lines() { return brief(found()); }
  FakeDns::Zone& zone;
};

acme::PresentedChallenge order_proof(const std::string& type, const std::string& token) {
  acme::PresentedChallenge proof{{"dns", "shop.test"},       false, type,
                                 "https://ca.test/" + token, token, token + ".thumbprint"};
  proof.label = acme::dns_label(type, {});
  return proof;
}

}  // namespace

TEST_CASE("a proof that would succeed gives no finding, costs no time and leaves nothing") {
  for (const char* type : {"http-01", "tls-alpn-01", "dns-01"}) {
    CAPTURE(type);
    Scene scene;
    if (type != std::string("http-01")) scene.prove_by("way", type);
    CHECK(scene.lines() == Lines{});
    CHECK(scene.took < 1s);
    CHECK(scene.zone.records.empty());
    CHECK(scene.ca->counters().requests == 0);
  }
}

TEST_CASE("an address, and a wildcard beside its name") {
  for (const char* type : {"http-01", "tls-alpn-01"}) {
    CAPTURE(type);
    Scene scene;
    if (type != std::string("http-01")) scene.prove_by("way", type);
    scene.shop().domains = {{"ip", "192.0.2.10"}};
    CHECK(scene.lines() == Lines{});
    scene.shop().domains = {{"ip", "192.0.2.99"}};
    if (type == std::string("http-01")) CHECK(scene.lines().size() == 1);
  }
  Scene scene;
  scene.prove_by("zone", "dns-01");
  scene.shop().domains = {{"dns", "shop.test"}, {"dns", "*.shop.test"}};
  CHECK(scene.lines() == Lines{});
  CHECK(scene.zone.records.empty());
}

TEST_CASE("http-01: the address at which nothing answers is named, of either family") {
  Scene scene;
  scene.shop().domains.push_back({"dns", "www.shop.test"});
  scene.world.add_local_name("www.shop.test");
  scene.world.dns.name("www.shop.test").addresses.push_back("2001:db8::99");
  const auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"HTTP01_UNREACHABLE error shop [challenge web]"});
  has(only(found).summary, "not seen for www.shop.test");
  has(only(found).evidence, "www.shop.test at 2001:db8::99: 2001:db8::99: connection refused");
  CHECK(only(found).evidence.find("192.0.2.10") == std::string::npos);
}

TEST_CASE("http-01: another web server, and a name without an address") {
  Scene scene;
  scene.shop().domains = {{"dns", "shop.test"}, {"dns", "gone.shop.test"}};
  scene.world.validation.webroots[80] = "/elsewhere";
  const auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"HTTP01_UNREACHABLE error shop [challenge web]",
                                          "HTTP01_WRONG_ANSWER error shop [challenge web]"});
  has(the(found, "HTTP01_WRONG_ANSWER").evidence, "answers 404");
  has(the(found, "HTTP01_UNREACHABLE").summary, "gone.shop.test");
}

TEST_CASE("http-01: a port that another process has is told with its name") {
  Scene scene;
  scene.world.http_responder.occupy(80, "nginx (pid 7)");
  const auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"PORT_IN_USE error shop [challenge web]"});
  has(only(found).evidence, "in use by nginx (pid 7)");
}

TEST_CASE("a port whose process only the hook service sees is told with its name, too") {
  Scene scene;
  scene.world.http_responder.occupy(80, unknown_listener);
  has(only(scene.found()).evidence, "in use by another process");
  scene.world.processes.listeners[80] = "nginx (pid 7)";
  has(only(scene.found()).evidence, "in use by nginx (pid 7)");
  Scene tls;
  tls.prove_by("tls", "tls-alpn-01");
  tls.world.tls_alpn_responder.occupy("[::]:443", unknown_listener);
  tls.world.processes.listeners[443] = "haproxy (pid 9)";
  has(only(tls.found()).evidence, "in use by haproxy (pid 9)");
}

TEST_CASE("http-01: a webroot is written to, cleaned, and must be the one that is served") {
  Scene scene;
  scene.web().listen.clear();
  scene.web().webroot = "/var/www";
  scene.world.files.put_directory("/var/www");
  scene.world.validation.webroots[80] = "/var/www";
  CHECK(scene.lines() == Lines{});
  const auto files = scene.world.files.list("/var/www/.well-known/acme-challenge");
  REQUIRE(files);
  CHECK(files->empty());
  scene.world.validation.webroots[80] = "/elsewhere";
  const auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"HTTP01_WRONG_ANSWER error shop [challenge web]"});
  has(only(found).fix, "/var/www");
  scene.world.files.set_read_only("/var/www", true);
  CHECK(the(scene.found(), "WEBROOT_NOT_WRITABLE").severity == FindingSeverity::error);
}

TEST_CASE("tls-alpn-01: who has the port, and what does not lead here") {
  Scene scene;
  scene.prove_by("tls", "tls-alpn-01");
  scene.world.tls_alpn_responder.occupy("[::]:443", "haproxy (pid 9)");
  auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"PORT_IN_USE error shop [challenge tls]"});
  has(only(found).evidence, "haproxy");
  Scene away;
  away.prove_by("tls", "tls-alpn-01");
  away.world.tls_probe.alpn_responder = nullptr;
  CHECK(away.lines() == Lines{"TLSALPN01_UNREACHABLE error shop [challenge tls]"});
}

TEST_CASE("dns-01: the provider's own words, and which server is stale, silent or lame") {
  Scene refused;
  refused.prove_by("zone", "dns-01");
  refused.zone.key = TsigKey{"nolapse", "hmac-sha256", "secret"};
  auto found = refused.found();
  CHECK(CheckScene::brief(found) == Lines{"DNS01_WRITE_FAILED error shop [challenge zone]"});
  has(only(found).evidence, "REFUSED");

  struct Row {
    FakeDns::Server server;
    const char* line;
    const char* told;
  };
  const std::vector<Row> rows = {
      {{"ns2.shop.test", "192.0.2.54:53", 24h, FakeDns::Fault::none},
       "DNS01_NOT_SEEN error shop [challenge zone]",
       "ns2.shop.test (192.0.2.54:53) for _acme-challenge.shop.test: does not show it"},
      {{"ns2.shop.test", "192.0.2.54:53", 0s, FakeDns::Fault::no_answer},
       "DNS01_NOT_SEEN warning shop [challenge zone]",
       "ns2.shop.test does not answer"},
      {{"ns2.other.test", "192.0.2.55:53", 0s, FakeDns::Fault::none},
       "DNS01_NOT_SEEN error shop [challenge zone]",
       "does not speak for shop.test (lame)"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.told);
    Scene scene;
    scene.prove_by("zone", "dns-01");
    scene.world.dns.name(row.server.name).addresses = {"192.0.2.54"};
    scene.zone.servers.push_back(row.server);
    found = scene.found();
    CHECK(CheckScene::brief(found) == Lines{row.line});
    has(only(found).evidence, row.told);
    CHECK(scene.took < proof_deadline);
    CHECK(scene.zone.records.empty());
  }
}

TEST_CASE("dns-01: a record that cannot be taken away again is told of") {
  Scene scene;
  scene.prove_by("zone", "dns-01");
  const std::function<void()> forbid_once_written = [&] {
    if (scene.zone.records.empty()) {
      return scene.world.clock.outside_after(1ms, forbid_once_written);
    }
    scene.zone.key = TsigKey{"nolapse", "hmac-sha256", "secret"};
  };
  forbid_once_written();
  CHECK(scene.lines() == Lines{"DNS01_CLEANUP_FAILED warning shop [challenge zone]"});
}

TEST_CASE("dns-01: that it takes longer than a probe waits is no finding where it always does") {
  Scene scene;
  scene.prove_by("zone", "dns-01");
  scene.world.dns.name("ns2.shop.test").addresses = {"192.0.2.54"};
  scene.zone.servers.push_back({"ns2.shop.test", "192.0.2.54:53", 3min, FakeDns::Fault::none});
  CHECK(scene.lines() == Lines{"DNS01_NOT_SEEN error shop [challenge zone]"});
  ScheduleRecord schedule;
  schedule.proof = SavedProof{"zone", scene.world.clock.now(), 185s, true};
  bool saved = false;
  scene.world.files.run(scene.store().save_schedule("shop", schedule),
                        [&](const Result<void>& done) { saved = done.has_value(); });
  REQUIRE(scene.world.clock.run_until([&] { return saved; }));
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("a second choice, and what the CA saw all the same, are warnings") {
  Scene scene;
  scene.prove_by("zone", "dns-01");
  scene.shop().challenges = {"zone", "web"};
  scene.world.http_responder.occupy(80, "nginx");
  auto found = scene.found();
  CHECK(CheckScene::brief(found) == Lines{"PORT_IN_USE warning shop [challenge web]"});
  has(only(found).summary, "a second choice");

  Scene hairpin;
  hairpin.world.dns.name("shop.test").addresses = {"192.0.2.99"};
  ScheduleRecord schedule;
  schedule.proof = SavedProof{"web", hairpin.world.clock.now(), 10s, false};
  bool saved = false;
  hairpin.world.files.run(hairpin.store().save_schedule("shop", schedule),
                          [&](const Result<void>& done) { saved = done.has_value(); });
  REQUIRE(hairpin.world.clock.run_until([&] { return saved; }));
  found = hairpin.found();
  CHECK(CheckScene::brief(found) == Lines{"HTTP01_UNREACHABLE warning shop [challenge web]"});
}

TEST_CASE("certificates that share a name and a challenge do not disturb each other") {
  for (const char* type : {"http-01", "tls-alpn-01", "dns-01"}) {
    CAPTURE(type);
    Scene scene;
    scene.prove_by("way", type);
    if (type == std::string("http-01")) scene.shop().challenges = {"web"};
    for (int i = 0; i < 19; ++i) {
      const auto challenges = scene.shop().challenges;
      scene.add_certificate("more" + std::to_string(i), "shop.test").challenges = challenges;
    }
    CHECK(scene.lines() == Lines{});
    // Those that would show another certificate for the same name take turns.
    CHECK(scene.took < (type == std::string("tls-alpn-01") ? 5s : 1s));
    CHECK(scene.zone.records.empty());
  }
}

TEST_CASE("what an order shows is shown on, whichever comes first [RFC 8737 §3]") {
  FakeWorld world{1};
  world.add_local_name("shop.test");
  ChallengeConfig way;
  way.name = "tls";
  way.type = "tls-alpn-01";
  way.listen = "[::]:443";
  way.validation_port = 443;
  Turns turns(world.world().clock);
  const auto solver = make_solver(way, world.world(), turns);
  const auto order = order_proof("tls-alpn-01", "order");
  auto probe = order_proof("tls-alpn-01", "probe");
  probe.url.clear();
  const auto present = [&](const acme::PresentedChallenge& proof) {
    std::optional<Result<void>> outcome;
    solver->present({proof}, [&](Result<void> got) { outcome = std::move(got); });
    world.clock.run_until([&] { return outcome.has_value(); });
    return outcome->has_value() ? std::string() : outcome->error().code;
  };
  const auto order_is_shown = [&] {
    return !world.tls_alpn_responder.validate(
        {order.identifier, "tls-alpn-01", "order", "order.thumbprint"});
  };
  CHECK(present(order) == "");
  CHECK(present(probe) == "PROOF_UNDER_WAY");
  CHECK(order_is_shown());
  solver->clean_up({order}, [](const auto&) {});
  CHECK(present(probe) == "");
  CHECK(present(order) == "");
  CHECK(order_is_shown());
  // The probe is not seen, and that is no fault.
  std::optional<Solver::ProofReport> report;
  solver->await_proof({probe}, Solver::Patience::brief,
                      [&](Solver::ProofReport got) { report = std::move(got); });
  world.clock.run_until([&] { return report.has_value(); });
  CHECK(report->seen);
  CHECK(report->cause == Solver::ProofReport::Cause::none);
}

TEST_CASE("an order that is being proved is waited for, and not for ever") {
  Scene scene;
  scene.prove_by("zone", "dns-01");
  SavedIssuance issuance;
  issuance.ca = "ca";
  issuance.challenge = "zone";
  issuance.generation = 1;
  issuance.placed_at = scene.world.clock.now();
  issuance.state.presented = {order_proof("dns-01", "order")};
  bool saved = false;
  auto work = scene.store().save_schedule("shop", {});
  for (auto& operation : scene.store().save_issuance("shop", issuance)) work.push_back(operation);
  scene.world.files.run(work, [&](const Result<void>& done) { saved = done.has_value(); });
  REQUIRE(scene.world.clock.run_until([&] { return saved; }));
  CHECK(scene.lines() == Lines{"DNS01_NOT_SEEN unknown shop [challenge zone]"});
  scene.world.clock.outside_after(
      5s, [&] { scene.world.files.erase("/var/lib/nolapse/certificates/shop/issuance.json"); });
  CHECK(scene.lines() == Lines{});
  CHECK(scene.took > 4s);
}

TEST_CASE("dns-account-01: the label is the account's, and before there is one nobody knows") {
  Scene scene;
  scene.prove_by("zone", "dns-account-01");
  CHECK(scene.lines() == Lines{"DNS01_WRITE_FAILED unknown shop [challenge zone]"});
  scene.shop().challenges = {"web"};
  scene.renew();
  scene.shop().challenges = {"zone"};
  CHECK(scene.lines() == Lines{});
}

TEST_CASE("80: a permanent record that is missing, for each CA, and one that ends early") {
  Scene scene;
  scene.renew();
  scene.add_ca("other");
  scene.shop().cas = {"ca", "other"};
  scene.prove_by("record", "dns-persist-01");
  auto found = scene.found();
  CHECK(CheckScene::brief(found) ==
        Lines{"PERSIST_RECORD_MISSING error shop [challenge record, CA ca]",
              "PERSIST_RECORD_MISSING unknown shop [challenge record, CA other]"});
  const std::string account = scene.store().load_account("ca")->value().url;
  const std::string record = "ca.test; accounturi=" + account;
  has(the(found, "PERSIST_RECORD_MISSING").fix,
      "_validation-persist.shop.test. TXT \"" + record + "\"");

  scene.shop().cas = {"ca"};
  const auto with = [&](const std::string& value) {
    scene.zone.records = {{"_validation-persist.shop.test", DnsType::txt, value}};
    return scene.lines();
  };
  CHECK(with(record) == Lines{});
  const auto until = [&](Duration after) {
    const auto at = scene.world.clock.now() + after;
    return "; persistUntil=" +
           std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
  };
  CHECK(with(record + until(400 * 24h)) == Lines{});
  CHECK(with(record + until(80 * 24h)) ==
        Lines{"PERSIST_RECORD_EXPIRES warning shop [challenge record, CA ca]"});
  CHECK(with(record + until(30 * 24h)) ==
        Lines{"PERSIST_RECORD_EXPIRES error shop [challenge record, CA ca]"});
}
