// Rehearsals in the shop's world, which has a staging CA beside the real one: what they show, that
// they change nothing, and that whatever dies on the way leaves nothing behind.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tests/simulation/command_process.h"
#include "tests/simulation/shop.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

FakeCaSettings staging_settings() {
  FakeCaSettings settings;
  settings.base_url = "https://staging.test";
  settings.name = "Staging CA";
  return settings;
}

struct Scene : Shop {
  explicit Scene(std::uint64_t seed = 11)
      : Shop(seed),
        staging(world.add_ca(staging_settings())),
        zone(world.dns.add_zone("shop.test", "192.0.2.53")) {
    config.cas[0].staging = staging.directory_url();
  }

  using Rehearsed = std::vector<CertificateRehearsal>;
  std::optional<Rehearsed> run(Dying dying = {}) {
    return run_process<Rehearsed>(*this, dying,
                                  [](Agent& agent, const std::function<void(Rehearsed)>& ended) {
                                    agent.rehearse({}, {}, ended);
                                  });
  }
  // The one at the one CA, which must come to an end.
  RehearsalOutcome rehearsed() {
    const auto outcomes = run();
    REQUIRE(outcomes.has_value());
    REQUIRE(outcomes->size() == 1);
    REQUIRE(outcomes->front().cas.size() == 1);
    CHECK(outcomes->front().saved);
    return outcomes->front().cas.front();
  }
  std::optional<RehearsalRecord> saved(const std::string& at = "ca") const {
    const auto records = Store(state, world.files).load_rehearsals("shop");
    REQUIRE(records);
    const auto found = records->find(at);
    return found == records->end() ? std::nullopt : std::optional(found->second);
  }
  int told(const std::string& text) const {
    return static_cast<int>(std::count_if(trace.begin(), trace.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    }));
  }
  // All that a rehearsal must leave alone.
  std::string production() const {
    std::string text = fingerprint_served() + fingerprint_of_live();
    for (const char* file : {"/certificates/shop/schedule.json",
                             "/certificates/shop/deployments.json", "/ledger/ca.json"}) {
      text += world.files.text(std::string(state) + file);
    }
    return text + std::to_string(ca.counters().orders_created);
  }
  // Proofs, generations and keys of a rehearsal. Empty: nothing.
  std::string left() const {
    const std::string place = std::string(state) + "/rehearsals";
    std::string text;
    for (const char* folder : {"/tmp", "/certificates/shop"}) {
      for (const std::string& name :
           world.files.list(place + folder).value_or(std::vector<std::string>())) {
        text += name + " ";
      }
    }
    if (world.http_responder.tokens() > 0) text += "a token ";
    for (const FakeDns::Record& record : zone.records) {
      if (record.type == DnsType::txt && record.name.starts_with("_acme")) text += "a TXT record";
    }
    return text;
  }
  void go_by_dns() {
    ChallengeConfig dns;
    dns.name = "zone";
    dns.type = "dns-01";
    dns.provider = "rfc2136";
    dns.settings = {{"server", "192.0.2.53:53"}};
    dns.validation_port = 53;
    config.challenges["zone"] = dns;
    config.certificates[0].challenges = {"zone"};
  }

  FakeCa& staging;
  FakeDns::Zone& zone;
};

void replace_hook(Scene& scene, int status, const std::string& words) {
  FakeProgram program;
  program.main = [status, words](const ProcessSpec&) {
    return ProcessResult{ProcessResult::Ending::exited, status, "", words};
  };
  scene.world.processes.add("/hooks/nginx", program);
}

}  // namespace

TEST_CASE("a rehearsal passes with a fresh proof, is saved, and changes nothing in production") {
  Scene scene;
  scene.renewed();
  const std::string before = scene.production();
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK_FALSE(outcome.error.has_value());
  CHECK(outcome.record.result == RehearsalResult::passed);
  CHECK(outcome.record.not_shown.empty());
  CHECK(outcome.record.proof_fresh);
  CHECK(scene.saved()->result == RehearsalResult::passed);
  CHECK(scene.saved()->configuration == digest_of(scene.config.certificates[0], scene.config));
  CHECK(scene.saved()->staging == scene.staging.directory_url());
  CHECK(scene.told("REHEARSAL_PASSED") == 1);
  CHECK(scene.production() == before);
  CHECK(scene.left().empty());
  CHECK(scene.staging.counters().certificates_issued == 1);
  const auto& started = scene.world.processes.started();
  CHECK(std::count(started.begin(), started.end(), "/hooks/nginx rehearse") == 1);
  CHECK(scene.world.files.mode(std::string(Shop::state) + "/rehearsals/accounts/ca/key.pem") ==
        0600);
}

TEST_CASE("each rehearsal proves anew, with one order and the same account") {
  Scene scene;
  for (int i = 1; i <= 4; ++i) {
    CHECK(scene.rehearsed().record.proof_fresh);
    CHECK(scene.staging.counters().orders_created == i);
  }
  CHECK(scene.staging.counters().accounts_created == 1);
  CHECK(scene.staging.counters().failed_validations == 0);
}

TEST_CASE("an authorization that could not be ended is ended by the next, which orders twice") {
  Scene scene;
  // The second time that it is asked for it is to be ended: the first was a look.
  scene.staging.settings.instead = [&scene, asked = 0](CaEndpoint endpoint,
                                                       const acme::HttpRequest&) mutable {
    const bool ends = endpoint == CaEndpoint::authorization &&
                      scene.staging.counters().certificates_issued > 0 && ++asked == 2;
    return ends ? std::optional(acme::HttpResponse{500, {}, "no"}) : std::nullopt;
  };
  CHECK(scene.rehearsed().record.result == RehearsalResult::passed);
  CHECK(scene.told("AUTHORIZATION_KEPT") == 1);
  CHECK(scene.staging.counters().orders_created == 1);
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.record.result == RehearsalResult::passed);
  CHECK(outcome.record.proof_fresh);
  CHECK(scene.told("PROOF_NOT_FRESH") == 1);
  CHECK(scene.staging.counters().orders_created == 3);
  CHECK(scene.left().empty());
}

TEST_CASE("a CA that goes by earlier proofs whatever is done makes it partial") {
  Scene scene;
  // It says that an authorization has ended, and keeps it: the second time that it is asked for
  // after an order is to end it.
  scene.staging.settings.instead = [&scene, asked = 0, orders = 0](
                                       CaEndpoint endpoint, const acme::HttpRequest&) mutable {
    const int issued = scene.staging.counters().certificates_issued;
    if (std::exchange(orders, issued) != issued) asked = 0;
    const bool ends = endpoint == CaEndpoint::authorization && issued > 0 && ++asked == 2;
    return ends ? std::optional(acme::HttpResponse{200, {}, "{}"}) : std::nullopt;
  };
  CHECK(scene.rehearsed().record.proof_fresh);
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.record.result == RehearsalResult::partial);
  CHECK_FALSE(outcome.record.proof_fresh);
  CHECK(outcome.record.not_shown ==
        std::vector<std::string>{"a fresh proof: the CA went by an earlier one"});
  CHECK(scene.staging.counters().orders_created == 3);
}

TEST_CASE("what would fail a renewal fails a rehearsal, and is told with its way out") {
  Scene scene;
  scene.renewed();
  const std::string before = scene.production();
  std::string code;
  SUBCASE("the service's configuration") {
    scene.nginx.broken_configuration = true;
    code = "HOOK_FAILED";
  }
  SUBCASE("the hook is gone") {
    scene.world.processes.remove("/hooks/nginx");
    code = "PROCESS_NOT_STARTED";
  }
  SUBCASE("the way to this host") {
    scene.world.validation.local_addresses.clear();
    code = "CA_CONNECTION";
  }
  SUBCASE("the CAA records") {
    scene.zone.records.push_back({"shop.test", DnsType::caa, "0 issue other.test"});
    code = "CAA_FORBIDS_CA";
  }
  const RehearsalOutcome outcome = scene.rehearsed();
  REQUIRE(outcome.error.has_value());
  CHECK(outcome.error->code == code);
  CHECK(scene.saved()->result == RehearsalResult::failed);
  CHECK(scene.saved()->error->code == code);
  CHECK(scene.told("REHEARSAL_FAILED") == 1);
  CHECK(scene.told("run `nolapse rehearse shop`") == 1);
  CHECK(scene.production() == before);
  CHECK(scene.left().empty());
  CHECK(scene.saved()->failures == 1);
  scene.rehearsed();
  CHECK(scene.saved()->failures == 2);
}

TEST_CASE("a hook that knows no rehearsal makes it partial, told as news once") {
  Scene scene;
  replace_hook(scene, 42, "");
  CHECK(scene.rehearsed().record.result == RehearsalResult::partial);
  CHECK(scene.saved()->not_shown ==
        std::vector<std::string>{
            "the deployment to nginx: /hooks/nginx does not know the verb rehearse"});
  CHECK(scene.rehearsed().record.failures == 0);
  CHECK(scene.told("REHEARSAL_PARTIAL") == 2);
}

TEST_CASE("a hook of another client is not started, but has to be there") {
  Scene scene;
  scene.config.targets["nginx"].kind = HookKind::certbot;
  CHECK(scene.rehearsed().record.result == RehearsalResult::partial);
  CHECK(scene.world.processes.started().empty());
  scene.config.targets["nginx"].hook = "/hooks/gone";
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.error->code == "FILE_MISSING");
  CHECK(scene.world.processes.started().empty());
}

TEST_CASE(
    "the challenge that a renewal would fall back to counts, and that it was needed is told") {
  Scene scene;
  scene.go_by_dns();
  scene.config.certificates[0].challenges = {"web", "zone"};
  scene.world.http_responder.occupy(80, "nginx");
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.record.result == RehearsalResult::partial);
  REQUIRE(outcome.record.not_shown.size() == 1);
  CHECK(outcome.record.not_shown[0].starts_with("the challenge web, which failed: "));
  CHECK(scene.left().empty());
}

TEST_CASE("without a staging directory everything but the order is tried") {
  Scene scene;
  scene.config.cas[0].staging.clear();
  scene.renewed();
  const std::string before = scene.production();
  SUBCASE("all is well") {
    const RehearsalOutcome outcome = scene.rehearsed();
    CHECK(outcome.record.result == RehearsalResult::partial);
    CHECK(outcome.record.not_shown ==
          std::vector<std::string>{"an order: no staging directory is configured"});
    CHECK(outcome.record.proof_fresh);
    const auto& started = scene.world.processes.started();
    CHECK(std::count(started.begin(), started.end(), "/hooks/nginx rehearse") == 1);
  }
  SUBCASE("the service's configuration is broken") {
    scene.nginx.broken_configuration = true;
    CHECK(scene.rehearsed().error->code == "HOOK_FAILED");
  }
  SUBCASE("nobody gets through to this host") {
    scene.world.validation.local_addresses.clear();
    CHECK(scene.rehearsed().error->code == "PROOF_NOT_SEEN");
  }
  SUBCASE("port 80 is taken") {
    scene.world.http_responder.occupy(80, "nginx");
    CHECK(scene.rehearsed().error->code == "PORT_IN_USE");
  }
  SUBCASE("the CAA records forbid the CA") {
    scene.zone.records.push_back({"shop.test", DnsType::caa, "0 issue other.test"});
    CHECK(scene.rehearsed().error->code == "CAA_FORBIDS_CA");
  }
  CHECK(scene.production() == before);
  CHECK(scene.staging.counters().requests == 0);
  CHECK(scene.left().empty());
}

TEST_CASE("a host that has no account and no certificate yet shows what it can") {
  Scene scene;
  scene.config.cas[0].staging.clear();
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.record.result == RehearsalResult::partial);
  CHECK(outcome.record.not_shown.size() == 3);
  CHECK(scene.ca.counters().accounts_created == 0);
  scene.ca.settings.external_account_required = true;
  CHECK(scene.rehearsed().error->code == "EAB_MISSING");
}

TEST_CASE("an account that was ended fails a rehearsal without an order") {
  Scene scene;
  scene.renewed();
  scene.config.cas[0].staging.clear();
  REQUIRE(work_on_account(scene, AccountAction::deactivate).has_value());
  CHECK(scene.rehearsed().error->code == "ACCOUNT_DEACTIVATED");
}

TEST_CASE("CAA records that name the production account are respected: no order is placed") {
  Scene scene;
  scene.renewed();
  const auto account = Store(Shop::state, scene.world.files).load_account("ca");
  scene.zone.records.push_back(
      {"shop.test", DnsType::caa, "0 issue ca.test; accounturi=" + (**account).url});
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.record.result == RehearsalResult::partial);
  CHECK(outcome.record.not_shown ==
        std::vector<std::string>{"an order: the CAA records name the production account"});
  CHECK(scene.staging.counters().orders_created == 0);
  CHECK(outcome.record.proof_fresh);
}

TEST_CASE("so are dns-persist-01 records, and one that is missing is named for production") {
  Scene scene;
  scene.renewed();
  ChallengeConfig record;
  record.name = "record";
  record.type = "dns-persist-01";
  record.validation_port = 53;
  scene.config.challenges["record"] = record;
  scene.config.certificates[0].challenges = {"record"};
  const RehearsalOutcome missing = scene.rehearsed();
  REQUIRE(missing.error.has_value());
  CHECK(missing.error->code == "PROOF_TO_BE_SET");
  const auto account = Store(Shop::state, scene.world.files).load_account("ca");
  CHECK(missing.error->message.find((**account).url) != std::string::npos);
  scene.zone.records.push_back(
      {"_validation-persist.shop.test", DnsType::txt, "ca.test; accounturi=" + (**account).url});
  CHECK(scene.rehearsed().record.result == RehearsalResult::partial);
  CHECK(scene.staging.counters().orders_created == 0);
}

TEST_CASE("a staging CA that asks to wait is obeyed, and what was known stays") {
  Scene scene;
  scene.rehearsed();
  scene.staging.settings.orders_per_account = {1, 1h};
  const RehearsalOutcome outcome = scene.rehearsed();
  CHECK(outcome.waits());
  CHECK(outcome.error->retry_after.has_value());
  CHECK(scene.saved()->result == RehearsalResult::passed);
  CHECK(scene.told("has to wait") == 1);
  scene.world.clock.run_for(2h);
  CHECK(scene.rehearsed().record.result == RehearsalResult::passed);
}

TEST_CASE("every CA of the certificate is rehearsed, each with its own result") {
  Scene scene;
  FakeCaSettings settings;
  settings.base_url = "https://other.test";
  FakeCa& other = scene.world.add_ca(settings);
  CaConfig fallback = scene.config.cas[0];
  fallback.name = "other";
  fallback.staging = other.directory_url();
  scene.config.cas.push_back(fallback);
  scene.config.certificates[0].cas = {"ca", "other"};
  scene.world.http.route("https://staging.test").fault = FakeHttp::Fault::refused;
  const auto outcomes = scene.run();
  REQUIRE(outcomes.has_value());
  REQUIRE(outcomes->front().cas.size() == 2);
  CHECK(outcomes->front().cas[0].error->code == "CA_UNREACHABLE");
  CHECK(outcomes->front().cas[1].record.result == RehearsalResult::passed);
  CHECK(scene.saved("ca")->result == RehearsalResult::failed);
  CHECK(scene.saved("other")->result == RehearsalResult::passed);
  // One that is no longer asked is forgotten.
  scene.config.certificates[0].cas = {"other"};
  scene.run();
  CHECK_FALSE(scene.saved("ca").has_value());
}

TEST_CASE("rehearsals with a name in common take turns, as one ends what the other proved") {
  // Begun so much later, the second finds the first at each of its steps.
  for (Duration later = 0ms; later < 4s; later += 100ms) {
    CAPTURE(later.count());
    Scene scene;
    scene.staging.settings.reuse_pending_authorizations = false;
    scene.world.add_local_name("www.shop.test");
    CertificateSpec wider = scene.config.certificates[0];
    wider.name = "wider";
    wider.domains.push_back({"dns", "www.shop.test"});
    scene.config.certificates.push_back(wider);
    const auto outcomes = run_process<Scene::Rehearsed>(
        scene, {}, [&](Agent& agent, const std::function<void(Scene::Rehearsed)>& ended) {
          const auto both = std::make_shared<Scene::Rehearsed>();
          const auto end = [both, ended](const Scene::Rehearsed& outcome) {
            both->push_back(outcome.front());
            if (both->size() == 2) ended(*both);
          };
          agent.rehearse({"shop"}, {}, end);
          scene.world.clock.start_timer(later,
                                        [&agent, end] { agent.rehearse({"wider"}, {}, end); });
        });
    REQUIRE(outcomes.has_value());
    for (const CertificateRehearsal& each : *outcomes) {
      CAPTURE(each.name);
      const auto& error = each.cas.front().error;
      CHECK((error ? error->message : "none") == "none");
      CHECK(each.cas.front().record.result == RehearsalResult::passed);
      CHECK(each.cas.front().record.proof_fresh);
    }
    CHECK(scene.staging.counters().orders_created == 2);
  }
}

TEST_CASE("rehearsals without a name in common run beside each other") {
  Scene scene;
  scene.add_certificate("other", "other.test");
  const auto outcomes = scene.run();
  REQUIRE(outcomes.has_value());
  CHECK(outcomes->back().cas.front().record.result == RehearsalResult::passed);
  const auto first_with = [&scene](const std::string& code, auto from) {
    return std::find_if(from, scene.trace.end(), [&code](const std::string& line) {
      return line.find(code) != std::string::npos;
    });
  };
  const auto first_start = first_with("REHEARSAL_STARTED", scene.trace.begin());
  REQUIRE(first_start != scene.trace.end());
  const auto second_start = first_with("REHEARSAL_STARTED", first_start + 1);
  CHECK(second_start < first_with("REHEARSAL_PASSED", first_start));
}

TEST_CASE("a rehearsal and a renewal of one certificate take turns") {
  Scene scene;
  std::optional<CertificateOutcome> renewed;
  const auto rehearsals = run_process<Scene::Rehearsed>(
      scene, {}, [&](Agent& agent, const std::function<void(Scene::Rehearsed)>& ended) {
        RenewOptions options;
        options.force = true;
        const auto both = std::make_shared<std::pair<int, Scene::Rehearsed>>();
        const auto end = [both, ended] {
          if (++both->first == 3) ended(both->second);
        };
        for (int i = 0; i < 2; ++i) {
          agent.rehearse({}, {}, [both, end](const Scene::Rehearsed& outcome) {
            both->second.push_back(outcome.front());
            end();
          });
        }
        agent.renew(options, [&renewed, end](std::vector<CertificateOutcome> outcomes) {
          renewed = std::move(outcomes.front());
          end();
        });
      });
  REQUIRE(rehearsals.has_value());
  REQUIRE(rehearsals->size() == 2);
  for (const CertificateRehearsal& each : *rehearsals) {
    CHECK(each.cas.front().record.result == RehearsalResult::passed);
    CHECK(each.cas.front().record.proof_fresh);
  }
  CHECK(renewed->action == CertificateOutcome::Action::renewed);
  CHECK(scene.staging.counters().orders_created == 2);
  CHECK(scene.left().empty());
}

TEST_CASE("forgetting a certificate forgets its rehearsals") {
  Scene scene;
  scene.renewed();
  scene.world.http_responder.occupy(80, "nginx");
  scene.rehearsed();
  const std::string folder = std::string(Shop::state) + "/rehearsals/certificates/shop";
  REQUIRE(scene.world.files.exists(folder));
  scene.config.certificates.clear();
  const auto forgotten = run_process<Result<void>>(
      scene, {}, [](Agent& agent, const std::function<void(Result<void>)>& ended) {
        agent.forget("shop", ended);
      });
  REQUIRE(forgotten.has_value());
  CHECK(forgotten->has_value());
  CHECK_FALSE(scene.world.files.exists(folder));
}

TEST_CASE("whatever dies in the middle of a rehearsal, the next one passes and nothing is left") {
  for (const bool with_staging : {true, false}) {
    CAPTURE(with_staging);
    const auto prepare = [&](Scene& scene) {
      scene.go_by_dns();
      scene.renewed();
      if (!with_staging) scene.config.cas[0].staging.clear();
    };
    Scene measured;
    prepare(measured);
    const std::uint64_t before = measured.world.files.total_operations();
    measured.rehearsed();
    const std::uint64_t operations = measured.world.files.total_operations() - before;
    REQUIRE(operations > 20);
    for (const Shop::Death death : {Shop::Death::kill, Shop::Death::power_failure}) {
      for (std::uint64_t at = 1; at <= operations; ++at) {
        CAPTURE(at);
        CAPTURE(static_cast<int>(death));
        Scene scene(at);
        prepare(scene);
        const std::string production = scene.production();
        CHECK_FALSE(scene.run({at, 0, death}).has_value());
        const RehearsalOutcome outcome = scene.rehearsed();
        if (outcome.error) MESSAGE(outcome.error->message);
        CHECK(outcome.record.result ==
              (with_staging ? RehearsalResult::passed : RehearsalResult::partial));
        CHECK(outcome.record.proof_fresh);
        CHECK(scene.left() == "");
        CHECK(scene.production() == production);
        CHECK(scene.violation() == "");
      }
    }
  }
}

TEST_CASE("also between any two steps") {
  for (int steps = 1; steps < 400; steps += 3) {
    CAPTURE(steps);
    Scene scene(static_cast<std::uint64_t>(steps));
    scene.go_by_dns();
    scene.renewed();
    if (scene.run({0, steps, Shop::Death::kill}).has_value()) break;
    CHECK(scene.rehearsed().record.proof_fresh);
    CHECK(scene.left() == "");
    CHECK(scene.staging.counters().failed_validations == 0);
  }
}
