#include "agent/solvers/front_door.h"

#include <doctest/doctest.h>

#include "agent/solvers/solvers.h"
#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;
using acme::PresentedChallenge;

namespace {

ChallengeConfig way(const std::string& type) {
  ChallengeConfig challenge;
  challenge.name = "web";
  challenge.type = type;
  challenge.listen = type == "http-01" ? "[::]:80" : "[::]:443";
  challenge.validation_port = type == "http-01" ? 80 : 443;
  return challenge;
}

struct Scene {
  explicit Scene(const std::string& type) : solver(make_solver(way(type), world.world(), turns)) {
    world.add_local_name("shop.test");
    proof = {{"dns", "shop.test"}, false, type, "https://ca.test/1", "token", "token.thumbprint"};
  }
  Result<void> present() {
    std::optional<Result<void>> outcome;
    solver->present({proof}, [&](Result<void> got) { outcome = std::move(got); });
    world.clock.run_until([&] { return outcome.has_value(); });
    return *outcome;
  }
  Solver::ProofReport look(Solver::Patience patience = Solver::Patience::full) {
    std::optional<Solver::ProofReport> report;
    const Time begin = world.clock.now();
    solver->await_proof({proof}, patience,
                        [&](Solver::ProofReport got) { report = std::move(got); });
    REQUIRE_FALSE(report);
    world.clock.run_until([&] { return report.has_value(); });
    took = world.clock.now() - begin;
    return *report;
  }
  std::string hint() {
    std::optional<std::string> text;
    solver->clean_up({proof}, [&](Solver::CleanUpReport report) { text = report.hint; });
    world.clock.run_until([&] { return text.has_value(); });
    return *text;
  }
  FakeWorld world{1};
  Turns turns{world.world().clock};
  std::unique_ptr<Solver> solver;
  PresentedChallenge proof;
  Duration took{};
};

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a proof that is served is seen at once; our own look is not the CA's") {
  for (const char* type : {"http-01", "tls-alpn-01"}) {
    CAPTURE(type);
    Scene scene(type);
    REQUIRE(scene.present());
    const auto report = scene.look();
    CHECK(report.seen);
    CHECK(scene.took < 1s);
    CHECK(has(scene.hint(), type == std::string("http-01")
                                ? "nobody fetched the proof for shop.test"
                                : "nobody came to [::]:443"));
  }
}

TEST_CASE("after a CA's visit there is no hint") {
  for (const char* type : {"http-01", "tls-alpn-01"}) {
    CAPTURE(type);
    Scene scene(type);
    REQUIRE(scene.present());
    scene.look();
    const ValidationRequest request{{"dns", "shop.test"}, type, "token", "token.thumbprint"};
    if (type == std::string("http-01")) {
      CHECK_FALSE(scene.world.validation.validate(request));
    } else {
      CHECK_FALSE(scene.world.tls_alpn_responder.validate(request));
    }
    CHECK(scene.hint().empty());
  }
}

TEST_CASE("what is not seen is looked for during ten seconds, and told with address and cause") {
  struct Row {
    const char* what;
    void (*spoil)(FakeWorld&);
    const char* told;
  };
  const std::vector<Row> rows = {
      {"no address", [](FakeWorld& w) { w.dns.name("shop.test").addresses.clear(); },
       "shop.test: shop.test: no such name"},
      {"another host", [](FakeWorld& w) { w.dns.name("shop.test").addresses = {"192.0.2.99"}; },
       "shop.test at 192.0.2.99: 192.0.2.99: connection refused"},
      {"one address of two is another host's",
       [](FakeWorld& w) { w.dns.name("shop.test").addresses.push_back("2001:db8::99"); },
       "shop.test at 2001:db8::99: 2001:db8::99: connection refused"},
      {"a web server that does not show it",
       [](FakeWorld& w) { w.validation.webroots[80] = "/elsewhere"; }, "answers 404"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Scene scene("http-01");
    REQUIRE(scene.present());
    row.spoil(scene.world);
    const auto report = scene.look();
    CHECK_FALSE(report.seen);
    CHECK(has(report.text, row.told));
    CHECK(scene.took <= 11s);
  }
}

TEST_CASE("where the CA saw the last one all the same, one look is enough") {
  Scene scene("http-01");
  REQUIRE(scene.present());
  scene.world.dns.name("shop.test").addresses = {"192.0.2.99"};
  CHECK_FALSE(scene.look(Solver::Patience::brief).seen);
  CHECK(scene.took < 1s);
}

TEST_CASE("a door that opens late is seen") {
  Scene scene("http-01");
  REQUIRE(scene.present());
  scene.world.dns.name("shop.test").addresses = {"192.0.2.20"};
  scene.world.clock.start_timer(
      5s, [&] { scene.world.validation.local_addresses.insert("192.0.2.20"); });
  CHECK(scene.look().seen);
  CHECK(scene.took >= 5s);
}

TEST_CASE("nothing to look at is nothing to wait for") {
  Scene scene("http-01");
  std::optional<FrontDoorReport> report;
  look_through_front_door(scene.world.world(), {}, http_glance(scene.world.world(), 80),
                          Solver::Patience::full,
                          [&](FrontDoorReport got) { report = std::move(got); });
  scene.world.clock.run_until([&] { return report.has_value(); });
  CHECK(report->proof.seen);
}

namespace {

class Pages final : public Http {
 public:
  explicit Pages(Clock& clock) : clock_(clock) {}
  void send(acme::HttpRequest request, HttpOptions options,
            Completion<acme::HttpResponse> done) override {
    auto page = pages.find(options.address + " " + request.url);
    if (page == pages.end()) page = pages.find(request.url);
    const acme::HttpResponse response =
        page == pages.end() ? acme::HttpResponse{404, {}, {}} : page->second;
    clock_.start_timer(Duration{1}, [response, done] { done(response); });
  }
  std::map<std::string, acme::HttpResponse> pages;

 private:
  Clock& clock_;
};

// What is wrong with shop.test's proof when its first answer leads there; empty: nothing.
std::string fault_behind(int status, const std::string& location,
                         const std::string& without_proof = {}) {
  Scene scene("http-01");
  scene.world.add_local_name("proofs.test");
  scene.world.add_local_name("many.test", "192.0.2.71");
  scene.world.add_local_name("many.test", "192.0.2.72");
  Pages pages(scene.world.clock);
  const std::string path = "/.well-known/acme-challenge/token";
  pages.pages["http://shop.test" + path] = {status, {{"Location", location}}, {}};
  pages.pages["https://proofs.test/token"] = {200, {}, "token.thumbprint\n"};
  pages.pages["https://many.test/token"] = {200, {}, "token.thumbprint"};
  if (!without_proof.empty())
    pages.pages[without_proof + " https://many.test/token"] = {404, {}, {}};
  pages.pages["https://proofs.test:443/token"] = {200, {}, "token.thumbprint"};
  pages.pages["http://shop.test/moved"] = {200, {}, "token.thumbprint"};
  pages.pages["http://shop.test/else"] = {200, {}, "something else"};
  const World w = scene.world.world();
  const World world{w.clock,
                    pages,
                    w.tls_probe,
                    w.dns,
                    w.files,
                    w.processes,
                    w.key_maker,
                    w.http_responder,
                    w.tls_alpn_responder,
                    w.random,
                    w.mail};
  std::optional<std::string> fault;
  http_glance(world, 80)(scene.proof, "192.0.2.10", [&](const DoorFault& got) {
    CHECK((got.cause == Solver::ProofReport::Cause::none) == got.text.empty());
    fault = got.text;
  });
  scene.world.clock.run_until([&] { return fault.has_value(); });
  return fault.value_or("no answer");
}

}  // namespace

TEST_CASE("redirects are followed as CAs follow them [RFC 8555 §8.3]") {
  for (const int status : {301, 302, 307, 308}) {
    CHECK(fault_behind(status, "https://proofs.test/token").empty());
    CHECK(fault_behind(status, "/moved").empty());
  }
  CHECK(has(fault_behind(303, "/moved"), "answers 303"));
  CHECK(has(fault_behind(302, "/else"), "something else is served"));
  CHECK(has(fault_behind(302, "ftp://proofs.test/token"), "redirected to nowhere"));
  CHECK(has(fault_behind(302, "http://nowhere.test/token"), "without an address"));
  CHECK(fault_behind(302, "https://proofs.test:443/token").empty());
  CHECK(has(fault_behind(302, "https://proofs.test:8443/token"), "ports 80 and 443 only"));
  CHECK(has(fault_behind(302, "http://shop.test:8080/moved"), "ports 80 and 443 only"));
  CHECK(has(fault_behind(302, "/.well-known/acme-challenge/token"), "redirected for ever"));
}

TEST_CASE("each address that a redirect leads to has to have the proof") {
  for (const std::string wrong : {"", "192.0.2.71", "192.0.2.72"}) {
    CHECK(fault_behind(302, "https://many.test/token", wrong).empty() == wrong.empty());
  }
}
