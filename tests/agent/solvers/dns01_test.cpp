#include "agent/solvers/dns01.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "acme/challenge_response.h"
#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;
using acme::PresentedChallenge;

namespace {

ChallengeConfig way() {
  ChallengeConfig challenge;
  challenge.name = "zone";
  challenge.type = "dns-01";
  challenge.validation_port = 53;
  challenge.provider = "rfc2136";
  challenge.settings = {{"server", "192.0.2.53:53"}};
  return challenge;
}

PresentedChallenge proof(const std::string& name, const std::string& token) {
  PresentedChallenge challenge{
      {"dns", name}, false, "dns-01", "https://ca.test/" + token, token, token + ".thumbprint"};
  challenge.label = acme::dns_label("dns-01", {});
  return challenge;
}

struct Scene {
  Scene() : zone(world.dns.add_zone("shop.test", "192.0.2.53")) {}
  Result<void> present(std::vector<PresentedChallenge> proofs) {
    std::optional<Result<void>> outcome;
    solver->present(std::move(proofs), [&](Result<void> got) { outcome = std::move(got); });
    REQUIRE_FALSE(outcome);
    world.clock.run_until([&] { return outcome.has_value(); });
    return *outcome;
  }
  std::string clean_up(std::vector<PresentedChallenge> proofs) {
    std::optional<std::string> left;
    solver->clean_up(std::move(proofs),
                     [&](Solver::CleanUpReport report) { left = report.left_behind; });
    REQUIRE_FALSE(left);
    world.clock.run_until([&] { return left.has_value(); });
    return *left;
  }
  std::size_t records() const { return zone.records.size(); }
  FakeWorld world{1};
  FakeDns::Zone& zone;
  Turns turns{world.world().clock};
  std::unique_ptr<Solver> solver = make_dns01(way(), world.world(), turns);
};

}  // namespace

TEST_CASE("29: a name and its wildcard have two values at one name, each taken away alone") {
  Scene scene;
  const auto plain = proof("shop.test", "one");
  auto wildcard = proof("shop.test", "two");
  wildcard.wildcard = true;
  REQUIRE(scene.present({plain, wildcard}));
  REQUIRE(scene.records() == 2);
  CHECK(scene.zone.records.front().name == "_acme-challenge.shop.test");
  CHECK(scene.zone.records.front().value == acme::dns01_value("one.thumbprint"));
  CHECK(scene.clean_up({plain}).empty());
  REQUIRE(scene.records() == 1);
  CHECK(scene.zone.records.front().value == acme::dns01_value("two.thumbprint"));
  CHECK(scene.clean_up({wildcard, wildcard}).empty());
  CHECK(scene.records() == 0);
}

TEST_CASE("presenting twice, as after a crash, leaves one record") {
  Scene scene;
  REQUIRE(scene.present({proof("shop.test", "one")}));
  REQUIRE(scene.present({proof("shop.test", "one")}));
  CHECK(scene.records() == 1);
}

namespace {

// Takes a second for each request, and counts how many are under way.
class SlowService final : public Http {
 public:
  explicit SlowService(Clock& clock) : clock_(clock) {}
  void send(acme::HttpRequest request, HttpOptions, Completion<acme::HttpResponse> done) override {
    ++all;
    last = request.url + " " + request.body;
    most = std::max(most, ++under_way_);
    clock_.start_timer(1s, [this, done] {
      --under_way_;
      done(acme::HttpResponse{200, {}, {}});
    });
  }
  int all = 0;
  int most = 0;
  std::string last;

 private:
  Clock& clock_;
  int under_way_ = 0;
};

// A resolver that answers some kinds of questions only.
class PartlyDeafDns final : public Dns {
 public:
  explicit PartlyDeafDns(Dns& dns) : dns_(dns) {}
  void resolve(std::string host, Completion<std::vector<std::string>> done) override {
    dns_.resolve(std::move(host), std::move(done));
  }
  void ask(DnsLookup lookup, Completion<DnsAnswer> done) override {
    if (std::find(refused.begin(), refused.end(), lookup.type) == refused.end())
      return dns_.ask(std::move(lookup), std::move(done));
    dns_.ask(std::move(lookup), [done = std::move(done)](const Result<DnsAnswer>&) {
      done(fail(ErrorKind::transient, "DNS_FAILED", "the resolver answers NOTIMP"));
    });
  }
  void update(DnsUpdate update, Completion<void> done) override {
    dns_.update(std::move(update), std::move(done));
  }
  std::vector<DnsType> refused;

 private:
  Dns& dns_;
};

ChallengeConfig httpreq_way() {
  ChallengeConfig challenge = way();
  challenge.provider = "httpreq";
  challenge.settings = {{"endpoint", "https://dns.test"}};
  return challenge;
}

World with(const World& world, Http& http, Dns& dns) {
  return {world.clock,
          http,
          world.tls_probe,
          dns,
          world.files,
          world.processes,
          world.key_maker,
          world.http_responder,
          world.tls_alpn_responder,
          world.random,
          world.mail};
}

World with_http(const World& world, Http& http) {
  return with(world, http, world.dns);
}

// A service, and a name whose proofs are delegated to another zone.
struct DelegatedScene : Scene {
  DelegatedScene() {
    zone.records.push_back({"_acme-challenge.shop.test", DnsType::cname, "shop.proofs.test"});
    world.dns.add_zone("proofs.test", "192.0.2.54");
    start_process();
  }
  void start_process() {
    solver = make_dns01(httpreq_way(), with(world.world(), service, dns), turns);
  }
  bool told(const std::string& what) const { return service.last.find(what) != std::string::npos; }
  SlowService service{world.clock};
  PartlyDeafDns dns{world.world().dns};
};

}  // namespace

TEST_CASE("an alias that is known is kept where only the zone above it is not") {
  DelegatedScene scene;
  scene.dns.refused = {DnsType::ns};
  REQUIRE(scene.present({proof("shop.test", "one")}));
  CHECK(scene.told("/present"));
  CHECK(scene.told("\"shop.proofs.test.\""));
  CHECK(scene.clean_up({proof("shop.test", "one")}).empty());
  CHECK(scene.told("/cleanup"));
  CHECK(scene.told("\"shop.proofs.test.\""));
}

TEST_CASE("a record is taken away from where it was put, whatever the resolver says then") {
  DelegatedScene scene;
  scene.dns.refused = {DnsType::ns, DnsType::txt};
  REQUIRE(scene.present({proof("shop.test", "one")}));
  CHECK(scene.told("\"_acme-challenge.shop.test.\""));
  scene.dns.refused = {};
  CHECK(scene.clean_up({proof("shop.test", "one")}).empty());
  CHECK(scene.told("/cleanup"));
  CHECK(scene.told("\"_acme-challenge.shop.test.\""));

  REQUIRE(scene.present({proof("shop.test", "two")}));
  CHECK(scene.told("\"shop.proofs.test.\""));
  scene.dns.refused = {DnsType::ns, DnsType::txt};
  CHECK(scene.clean_up({proof("shop.test", "two")}).empty());
  CHECK(scene.told("/cleanup"));
  CHECK(scene.told("\"shop.proofs.test.\""));
}

TEST_CASE("where a record of an ended process is cannot be guessed: it is asked for again later") {
  DelegatedScene scene;
  REQUIRE(scene.present({proof("shop.test", "one")}));
  scene.start_process();
  scene.dns.refused = {DnsType::ns, DnsType::txt};
  CHECK_FALSE(scene.clean_up({proof("shop.test", "one")}).empty());
  CHECK(scene.told("/present"));
  scene.dns.refused = {DnsType::ns};
  CHECK(scene.clean_up({proof("shop.test", "one")}).empty());
  CHECK(scene.told("\"shop.proofs.test.\""));
}

TEST_CASE("a service, or a program, is asked for one name after the other") {
  Scene scene;
  SlowService service(scene.world.clock);
  scene.solver = make_dns01(httpreq_way(), with_http(scene.world.world(), service), scene.turns);
  REQUIRE(scene.present(
      {proof("shop.test", "one"), proof("a.shop.test", "two"), proof("b.shop.test", "three")}));
  CHECK(service.all == 3);
  CHECK(service.most == 1);
}

TEST_CASE("sections that share a service, or a program, take turns; others do not wait") {
  Scene scene;
  SlowService service(scene.world.clock);
  const World world = with_http(scene.world.world(), service);
  const auto most_at_once = [&](const ChallengeConfig& first, const ChallengeConfig& second) {
    service.most = 0;
    const auto one = make_dns01(first, world, scene.turns);
    const auto two = make_dns01(second, world, scene.turns);
    int open = 2;
    const auto ended = [&open](const Result<void>& outcome) {
      CHECK(outcome);
      --open;
    };
    one->present({proof("a.shop.test", "one")}, ended);
    two->present({proof("b.shop.test", "two")}, ended);
    REQUIRE(scene.world.clock.run_until([&open] { return open == 0; }));
    return service.most;
  };
  ChallengeConfig other_type = httpreq_way();
  other_type.name = "other";
  other_type.type = "dns-account-01";
  other_type.settings["username"] = "another";
  CHECK(most_at_once(httpreq_way(), other_type) == 1);
  ChallengeConfig elsewhere = httpreq_way();
  elsewhere.settings["endpoint"] = "https://other.test";
  CHECK(most_at_once(httpreq_way(), elsewhere) == 2);
}

TEST_CASE("a resolver that is away stops only what has to know the zone") {
  Scene scene;
  scene.zone.servers.front().fault = FakeDns::Fault::no_answer;
  const auto refused = scene.present({proof("shop.test", "one")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "DNS_TIMEOUT");
  SlowService service(scene.world.clock);
  scene.solver = make_dns01(httpreq_way(), with_http(scene.world.world(), service), scene.turns);
  CHECK(scene.present({proof("shop.test", "one")}));
  CHECK(service.all == 1);
  CHECK_FALSE(scene.present({proof("nowhere.example", "one")}));
}

TEST_CASE("another's records at the same name stay") {
  Scene scene;
  scene.zone.records.push_back({"_acme-challenge.shop.test", DnsType::txt, "somebody else's"});
  REQUIRE(scene.present({proof("shop.test", "one")}));
  CHECK(scene.clean_up({proof("shop.test", "one")}).empty());
  REQUIRE(scene.records() == 1);
  CHECK(scene.zone.records.front().value == "somebody else's");
}

TEST_CASE("a record belongs where an alias leads, and into the nearest zone above") {
  Scene scene;
  FakeDns::Zone& below = scene.world.dns.add_zone("deep.shop.test", "192.0.2.53");
  REQUIRE(scene.present({proof("www.deep.shop.test", "one")}));
  REQUIRE(below.records.size() == 1);
  CHECK(below.records.front().name == "_acme-challenge.www.deep.shop.test");
  scene.zone.records.push_back(
      {"_acme-challenge.www.shop.test", DnsType::cname, "proofs.deep.shop.test"});
  REQUIRE(scene.present({proof("www.shop.test", "two")}));
  REQUIRE(below.records.size() == 2);
  CHECK(below.records.back().name == "proofs.deep.shop.test");
  CHECK(
      scene.clean_up({proof("www.shop.test", "two"), proof("www.deep.shop.test", "one")}).empty());
  CHECK(below.records.empty());
}

TEST_CASE("what fails says which challenge and why; what may be left is told") {
  Scene scene;
  const auto nowhere = scene.present({proof("nowhere.example", "one")});
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == "ZONE_NOT_FOUND");
  CHECK(nowhere.error().message.rfind("challenge.zone: no zone is found for", 0) == 0);
  scene.zone.key = TsigKey{"nolapse", "hmac-sha256", "secret"};
  const auto refused = scene.present({proof("shop.test", "one"), proof("www.shop.test", "two")});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "DNS_UPDATE_REFUSED");
  CHECK(scene.clean_up({proof("shop.test", "one")}).rfind("a TXT record may be left: ", 0) == 0);
}

TEST_CASE("no challenges are no work") {
  Scene scene;
  CHECK(scene.present({}));
  CHECK(scene.clean_up({}).empty());
}

TEST_CASE(
    "dns-account-01 looks under the account's own label [draft-ietf-acme-dns-account-label]") {
  // The draft's own vector.
  CHECK(acme::dns_label("dns-account-01", "https://example.com/acme/acct/ExampleAccount") ==
        "_ujmmovf2vn55tgye._acme-challenge");
  CHECK(acme::dns_label("dns-01", "https://example.com/acme/acct/ExampleAccount") ==
        "_acme-challenge");
  CHECK(acme::dns_label("http-01", "x").empty());
}
