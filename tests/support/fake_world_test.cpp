// The fakes together: an order through the fake network, services, hooks, and what a crash leaves.
#include "tests/support/fake_world.h"

#include <doctest/doctest.h>

#include "acme/challenge_response.h"
#include "tests/support/issuance_driver.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

// Runs the clock until a completion comes, as only a test may.
template <class T>
T wait_for(FakeWorld& world, const std::function<void(std::function<void(T)>)>& start) {
  std::optional<T> outcome;
  start([&](T value) { outcome = std::move(value); });
  REQUIRE_FALSE(outcome);
  REQUIRE(world.clock.run_until([&] { return outcome.has_value(); }));
  return std::move(*outcome);
}

Result<acme::HttpResponse> send(FakeWorld& world, const acme::HttpRequest& request,
                                const HttpOptions& options = {}) {
  return wait_for<Result<acme::HttpResponse>>(
      world, [&](auto done) { world.http.send(request, options, done); });
}

ProbeReply probe(FakeWorld& world, const ProbeRequest& request) {
  return wait_for<ProbeReply>(world, [&](auto done) { world.tls_probe.probe(request, done); });
}

Result<ProcessResult> hook(FakeWorld& world, const std::string& verb) {
  ProcessSpec spec;
  spec.argv = {"/hooks/nginx", verb};
  spec.environment = {{"NOLAPSE_NAME", "shop"},
                      {"NOLAPSE_GENERATION", "1"},
                      {"NOLAPSE_FULLCHAIN", "/s/fullchain.pem"},
                      {"NOLAPSE_PRIVKEY", "/s/privkey.pem"}};
  return wait_for<Result<ProcessResult>>(world,
                                         [&](auto done) { world.processes.run(spec, done); });
}

// Obtains a certificate over HTTP, DNS and the responder, and puts the pair into /s.
Result<std::vector<acme::Certificate>> issue(FakeWorld& world, const std::string& name) {
  const auto account_key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256).value();
  const auto key = acme::PrivateKey::generate(acme::KeyType::ecdsa_p256).value();
  acme::Session session(world.cas.front()->directory_url(), account_key, {{}, true, "", ""});
  acme::Issuance issuance(issuance_request(session, {name}, key), {});
  acme::IssuanceEvent event = acme::event::Start{};
  const std::string listen = "[::]:80";
  while (true) {
    acme::IssuanceEffect effect = issuance.step(event, world.clock.now());
    if (const auto* failed = std::get_if<acme::effect::Failed>(&effect)) return fail(failed->error);
    if (const auto* finished = std::get_if<acme::effect::Finished>(&effect)) {
      std::string pem;
      for (const auto& each : finished->chain) pem += acme::to_pem(each);
      world.files.put("/s/fullchain.pem", pem);
      world.files.put("/s/privkey.pem", key.to_pem(), 0600);
      return finished->chain;
    }
    if (auto* call = std::get_if<acme::effect::Send>(&effect)) {
      std::optional<Result<acme::HttpResponse>> done;
      while (!done) {
        const auto response = send(world, session.next(call->call).value());
        if (!response) {
          done = Result<acme::HttpResponse>(fail(response.error()));
        } else {
          done = session.receive(call->call, *response, world.clock.now());
        }
      }
      event = acme::event::Replied{*done};
    } else if (const auto* present = std::get_if<acme::effect::Present>(&effect)) {
      for (const auto& each : present->challenges)
        REQUIRE(world.http_responder.serve(listen, each.token, each.key_authorization));
      event = acme::event::Presented{Result<void>()};
    } else if (const auto* clean_up = std::get_if<acme::effect::CleanUp>(&effect)) {
      for (const auto& each : clean_up->challenges)
        CHECK(world.http_responder.withdraw(listen, each.token) == 1);
      event = acme::event::CleanedUp{};
    } else if (const auto* wait = std::get_if<acme::effect::Wait>(&effect)) {
      world.clock.run_for(wait->duration);
      event = acme::event::TimerFired{};
    }
  }
}

struct Shop : FakeWorld {
  FakeService& nginx;

  explicit Shop(std::uint64_t seed = 1)
      : FakeWorld(seed), nginx(add_service("nginx", "/hooks/nginx", "192.0.2.10", 443)) {
    add_ca();
    add_local_name("shop.test");
  }
  std::string deploy() {
    const auto chain = issue(*this, "shop.test");
    REQUIRE(chain);
    CHECK(hook(*this, "install")->output == "changed\n");
    CHECK(hook(*this, "reload")->code == 0);
    return chain->front().fingerprint_sha256;
  }
};

const ProbeRequest shop_probe{"192.0.2.10", 443, "shop.test", "", 5s};

}  // namespace

TEST_CASE("a certificate is obtained, installed, reloaded and seen by the probe") {
  Shop world;
  const std::string fingerprint = world.deploy();
  const ProbeReply reply = probe(world, shop_probe);
  CHECK(reply.outcome == ProbeReply::Outcome::handshake);
  REQUIRE(reply.chain_der.size() == 2);
  CHECK(acme::parse_certificate(reply.chain_der.front())->fingerprint_sha256 == fingerprint);
  CHECK(reply.chain_error == "");
  CHECK(world.nginx.served() == std::vector<std::string>{fingerprint});
  CHECK(hook(world, "install")->output == "unchanged\n");
  CHECK(world.http_responder.tokens() == 0);
}

TEST_CASE("the same seed makes the same keys, certificates and requests") {
  const auto run = [](std::uint64_t seed) {
    Shop world(seed);
    std::string trace = world.deploy();
    for (const auto& each : world.http.exchanges())
      trace += "\n" + acme::format_rfc3339(each.sent) + " " + each.request + " " + each.outcome;
    return trace;
  };
  CHECK(run(3) == run(3));
  CHECK(run(3) != run(4));
}

TEST_CASE("the probe tells what is wrong with what is served") {
  struct Row {
    const char* what;
    void (*change)(Shop&, ProbeRequest&);
    ProbeReply::Outcome outcome;
    const char* detail;
    const char* chain_error;
  };
  using Outcome = ProbeReply::Outcome;
  const Row rows[] = {
      {"expired", [](Shop& w, ProbeRequest&) { w.clock.step_wall_clock(24h * 91); },
       Outcome::handshake, "", "certificate has expired"},
      {"not yet valid", [](Shop& w, ProbeRequest&) { w.clock.step_wall_clock(-24h); },
       Outcome::handshake, "", "certificate is not yet valid"},
      {"another name", [](Shop&, ProbeRequest& r) { r.server_name = "other.test"; },
       Outcome::handshake, "", "hostname mismatch"},
      {"another address as name", [](Shop&, ProbeRequest& r) { r.server_name = "192.0.2.10"; },
       Outcome::handshake, "", "IP address mismatch"},
      {"roots of its own",
       [](Shop& w, ProbeRequest& r) {
         const Time now = w.clock.now();
         w.files.put("/roots.pem",
                     pem_of(TestIssuer::root("Other", now - 1h, now + 1h).certificate()));
         r.roots_file = "/roots.pem";
       },
       Outcome::handshake, "", "unable to get local issuer certificate"},
      {"nobody there", [](Shop&, ProbeRequest& r) { r.port = 8443; }, Outcome::unreachable,
       "192.0.2.10 port 8443: connection refused", ""},
      {"no answer", [](Shop& w, ProbeRequest&) { w.nginx.unreachable = true; },
       Outcome::unreachable, "192.0.2.10 port 443: connection timed out", ""},
      {"a mismatched pair",
       [](Shop& w, ProbeRequest&) {
         w.files.put("/s/privkey.pem", make_test_key().to_pem());
         w.nginx.serves_anything = true;
         CHECK(hook(w, "install")->code == 0);
         CHECK(hook(w, "reload")->code == 0);
       },
       Outcome::no_handshake, "192.0.2.10 port 443: TLS alert handshake failure", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Shop world;
    world.deploy();
    ProbeRequest request = shop_probe;
    row.change(world, request);
    const ProbeReply reply = probe(world, request);
    CHECK(reply.outcome == row.outcome);
    CHECK(reply.detail == row.detail);
    // OpenSSL's wording differs in capitals between versions.
    std::string error = reply.chain_error;
    if (!error.empty() && error.front() == 'H') error.front() = 'h';
    CHECK(error == row.chain_error);
  }
}

TEST_CASE("a service of its own answers for its name") {
  Shop world;
  const std::string fingerprint = world.deploy();
  FakeService& mail = world.add_service("mail", "/hooks/mail", "192.0.2.10", 443, "mail.test");
  ProbeRequest request = shop_probe;
  request.server_name = "mail.test";
  CHECK(probe(world, request).outcome == ProbeReply::Outcome::no_handshake);
  CHECK(mail.served().empty());
  CHECK(probe(world, shop_probe).outcome == ProbeReply::Outcome::handshake);
}

TEST_CASE("a hook fails as a real one does, and the old certificate goes on being served") {
  Shop world;
  const std::string old = world.deploy();
  REQUIRE(issue(world, "shop.test"));
  world.nginx.broken_configuration = true;
  CHECK(hook(world, "check")->code == 1);
  CHECK(hook(world, "install")->code == 1);
  CHECK(hook(world, "reload")->code == 1);
  world.nginx.broken_configuration = false;
  world.nginx.ignores_reload = true;
  CHECK(hook(world, "install")->code == 0);
  CHECK(hook(world, "reload")->code == 0);
  CHECK(world.nginx.served() == std::vector<std::string>{old});
  CHECK(hook(world, "anything else")->code == 42);
  CHECK(hook(world, "rehearse")->code == 0);
  CHECK(world.nginx.served() == std::vector<std::string>{old});
  world.nginx.hangs = true;
  const auto before = world.clock.uptime();
  CHECK(hook(world, "reload")->ending == ProcessResult::Ending::timed_out);
  CHECK(world.clock.uptime() - before == 60s);
  world.processes.remove("/hooks/nginx");
  CHECK(hook(world, "check").error().code == "PROCESS_NOT_STARTED");
}

TEST_CASE("the CA sees what the internet sees") {
  struct Row {
    const char* what;
    void (*change)(FakeWorld&);
    const char* type;  // of the failure; empty: proved
  };
  const Row rows[] = {
      {"all well", [](FakeWorld&) {}, ""},
      {"unknown name", [](FakeWorld& w) { w.dns.name("shop.test").addresses.clear(); }, "dns"},
      {"lame server",
       [](FakeWorld& w) { w.dns.name("shop.test").fault = FakeDns::Fault::server_failure; }, "dns"},
      {"points elsewhere to the public",
       [](FakeWorld& w) { w.dns.public_name("shop.test").addresses = {"203.0.113.1"}; },
       "connection"},
      {"split DNS",
       [](FakeWorld& w) {
         w.dns.name("shop.test").addresses = {"10.0.0.1"};
         w.dns.public_name("shop.test").addresses = {"192.0.2.10"};
       },
       ""},
      {"firewall", [](FakeWorld& w) { w.validation.firewalled = true; }, "connection"},
      {"another port", [](FakeWorld& w) { w.validation.port = 5002; }, "connection"},
      {"withdrawn", [](FakeWorld& w) { w.http_responder.withdraw("[::]:80", "token"); },
       "connection"},
      {"another token",
       [](FakeWorld& w) {
         w.http_responder.withdraw("[::]:80", "token");
         CHECK(w.http_responder.serve("0.0.0.0:80", "other", "proof"));
       },
       "unauthorized"},
      {"another proof",
       [](FakeWorld& w) { CHECK(w.http_responder.serve("[::]:80", "token", "x")); },
       "unauthorized"},
      {"webroot without the file", [](FakeWorld& w) { w.add_webroot(80, "/www"); }, "unauthorized"},
      {"webroot with it",
       [](FakeWorld& w) {
         w.add_webroot(80, "/www");
         w.files.put("/www" + acme::http01_path("token"), "proof");
       },
       ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    FakeWorld world(1);
    world.add_local_name("shop.test");
    REQUIRE(world.http_responder.serve("[::]:80", "token", "proof"));
    row.change(world);
    const auto failure =
        world.validation.validate({{"dns", "shop.test"}, "http-01", "token", "proof"});
    CHECK((failure ? failure->type : "") == row.type);
  }
}

TEST_CASE("a port in use names its holder, and a withdrawn token says how often it was fetched") {
  FakeWorld world(1);
  REQUIRE(world.http_responder.serve("192.0.2.10:80", "token", "proof"));
  CHECK(world.http_responder.fetch("192.0.2.10", 80, "token") == "proof");
  CHECK(world.http_responder.fetch("192.0.2.10", 80, "token") == "proof");
  CHECK(world.http_responder.fetch("192.0.2.11", 80, "token") == std::nullopt);
  CHECK(world.http_responder.withdraw("192.0.2.10:80", "token") == 2);
  CHECK(world.http_responder.withdraw("192.0.2.10:80", "token") == 0);
  world.http_responder.occupy(80, "nginx");
  const auto refused = world.http_responder.serve("[::]:80", "token", "proof");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "PORT_IN_USE");
  CHECK(refused.error().message == "cannot listen on [::]:80: in use by nginx");
  CHECK(world.http_responder.serve("shop.test:80", "t", "b").error().code == "LISTEN_FAILED");
}

TEST_CASE("HTTP fails in the ways the transport does, in its time") {
  struct Row {
    FakeHttp::Fault fault;
    const char* code;
    Duration after;
  };
  for (const Row& row : {Row{FakeHttp::Fault::none, "", 40ms},
                         Row{FakeHttp::Fault::name_not_found, "CA_UNREACHABLE", 40ms},
                         Row{FakeHttp::Fault::refused, "CA_UNREACHABLE", 40ms},
                         Row{FakeHttp::Fault::bad_certificate, "CA_TLS", 40ms},
                         Row{FakeHttp::Fault::no_answer, "CA_TIMEOUT", 30s}}) {
    Shop world;
    world.http.route("https://ca.test").fault = row.fault;
    const auto reply = send(world, {"GET", world.cas.front()->directory_url(), {}, ""});
    CHECK((reply ? "" : reply.error().code) == row.code);
    CHECK(world.clock.uptime() == row.after);
  }
  Shop world;
  HttpOptions hasty;
  hasty.timeout = 30ms;
  CHECK(send(world, {"GET", world.cas.front()->directory_url(), {}, ""}, hasty).error().code ==
        "CA_TIMEOUT");
  CHECK(world.cas.front()->counters().requests == 1);  // it arrived all the same
  HttpOptions small;
  small.body_limit = 10;
  CHECK(send(world, {"GET", world.cas.front()->directory_url(), {}, ""}, small).error().code ==
        "BODY_TOO_LONG");
  CHECK(send(world, {"GET", "https://elsewhere.test/", {}, ""}).error().code == "CA_UNREACHABLE");
  const acme::HttpRequest list{"GET", world.cas.front()->revocation_list_url(), {}, ""};
  CHECK(send(world, list).error().code == "CA_UNREACHABLE");
  HttpOptions plain;
  plain.plain_http = true;
  CHECK(send(world, list, plain)->status == 200);
}

TEST_CASE("DNS fails in the ways a resolver does") {
  FakeWorld world(1);
  world.dns.name("a.test").addresses = {"192.0.2.1", "2001:db8::1"};
  world.dns.name("slow.test") = {{"192.0.2.1"}, FakeDns::Fault::no_answer, 1s};
  world.dns.name("lame.test").fault = FakeDns::Fault::server_failure;
  const auto code = [&](const std::string& host) {
    const auto outcome = wait_for<Result<std::vector<std::string>>>(
        world, [&](auto done) { world.dns.resolve(host, done); });
    return outcome ? std::to_string(outcome->size()) : outcome.error().code;
  };
  CHECK(code("a.test") == "2");
  CHECK(code("192.0.2.7") == "1");
  CHECK(code("none.test") == "NAME_NOT_FOUND");
  CHECK(code("lame.test") == "DNS_FAILED");
  CHECK(code("slow.test") == "DNS_TIMEOUT");
}

TEST_CASE("a request under way arrives although its sender crashed, and nobody hears the answer") {
  Shop world;
  bool heard = false;
  world.http.send({"GET", world.cas.front()->directory_url(), {}, ""}, {},
                  [&](Result<acme::HttpResponse>) { heard = true; });
  world.kill();
  world.clock.run_for(1min);
  CHECK(world.cas.front()->counters().requests == 1);
  CHECK_FALSE(heard);
}

TEST_CASE("a hook under way survives a kill but no power failure") {
  for (const bool power : {false, true}) {
    Shop world;
    REQUIRE(issue(world, "shop.test"));
    bool heard = false;
    ProcessSpec spec;
    spec.argv = {"/hooks/nginx", "install"};
    spec.environment = {{"NOLAPSE_NAME", "shop"},
                        {"NOLAPSE_GENERATION", "1"},
                        {"NOLAPSE_FULLCHAIN", "/s/fullchain.pem"},
                        {"NOLAPSE_PRIVKEY", "/s/privkey.pem"}};
    world.processes.run(spec, [&](Result<ProcessResult>) { heard = true; });
    CHECK(world.processes.running() == 1);
    power ? world.crash() : world.kill();
    world.clock.run_for(1min);
    CHECK(world.nginx.installed().has_value() != power);
    CHECK_FALSE(heard);
  }
}

TEST_CASE("after a power failure a service serves what was installed, and tokens are gone") {
  Shop world;
  const std::string old = world.deploy();
  REQUIRE(issue(world, "shop.test"));
  CHECK(hook(world, "install")->code == 0);
  REQUIRE(world.http_responder.serve("[::]:80", "token", "proof"));
  const auto lock = world.files.lock("/s/lock", "the agent");
  world.crash();
  CHECK(world.nginx.served().size() == 2);
  CHECK(world.nginx.served().back() != old);
  CHECK(world.http_responder.tokens() == 0);
  CHECK(world.files.lock("/s/lock", "the next agent"));
}
