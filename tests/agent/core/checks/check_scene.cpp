#include "tests/agent/core/checks/check_scene.h"

#include <doctest/doctest.h>

#include "acme/signing_request.h"
#include "agent/solvers/solvers.h"

namespace nolapse {

CheckScene::CheckScene() {
  world.files.put_directory("/var/lib");
  config.certificates.reserve(64);  // references to them stay good
  config.cas.reserve(8);
  add_ca("ca");
  ca = world.cas.front().get();
  add_challenge("web", "http-01").listen = "[::]:80";
}

CaConfig& CheckScene::add_ca(const std::string& name) {
  FakeCaSettings settings;
  settings.base_url = "https://" + name + ".test";
  settings.caa_identities = {name + ".test"};
  FakeCa& fake = world.add_ca(std::move(settings));
  std::string anchors;
  for (const std::string& anchor : fake.trust_anchors()) anchors += pem_of(anchor);
  world.files.put("/etc/nolapse/" + name + ".pem", anchors);
  CaConfig added;
  added.name = name;
  added.directory = fake.directory_url();
  added.terms_of_service_agreed = true;
  added.issuer_roots_file = "/etc/nolapse/" + name + ".pem";
  config.cas.push_back(added);
  return config.cas.back();
}

ChallengeConfig& CheckScene::add_challenge(const std::string& name, const std::string& type) {
  ChallengeConfig& challenge = config.challenges[name];
  challenge.name = name;
  challenge.type = type;
  challenge.validation_port = type == "http-01" ? 80 : type == "tls-alpn-01" ? 443 : 53;
  return challenge;
}

CertificateSpec& CheckScene::add_certificate(const std::string& name, const std::string& host) {
  world.add_local_name(host);
  CertificateSpec spec;
  spec.name = name;
  spec.domains = {{"dns", host}};
  spec.challenges = {"web"};
  spec.cas = {"ca"};
  spec.endpoints.emplace();
  config.certificates.push_back(spec);
  return config.certificates.back();
}

namespace {

// What a process has, and takes with it.
struct Process {
  explicit Process(CheckScene& scene)
      : world(scene.world),
        events(scene.world.clock),
        agent(scene.world.world(), scene.config, events, make_solver) {}
  ~Process() { world.clock.drop_all(); }
  FakeWorld& world;
  EventStream events;
  Agent agent;
};

}  // namespace

void CheckScene::renew() {
  Process process(*this);
  std::string failures = "it did not end";
  process.agent.open("test", [&](Result<void> opened) {
    REQUIRE(opened);
    process.agent.renew({}, [&](const std::vector<CertificateOutcome>& outcomes) {
      failures.clear();
      for (const auto& outcome : outcomes) {
        if (outcome.error) failures += outcome.error->message + "\n";
      }
    });
  });
  world.clock.run_until([&] { return failures != "it did not end"; });
  REQUIRE(failures == "");
}

void CheckScene::update_account(const std::string& name) {
  Process process(*this);
  bool done = false;
  process.agent.open("test", [&](Result<void> opened) {
    REQUIRE(opened);
    process.agent.work_on_accounts(AccountAction::update, name,
                                   [&](const std::vector<AccountOutcome>& outcomes) {
                                     CHECK_FALSE(outcomes.front().error.has_value());
                                     done = true;
                                   });
  });
  REQUIRE(world.clock.run_until([&] { return done; }));
}

std::vector<Finding> CheckScene::check(const CheckFamily& family, bool deep,
                                       std::vector<std::string> names,
                                       std::optional<DaemonView> daemon) {
  EventStream events(world.clock);
  const Store files = store();
  std::map<std::string, std::unique_ptr<CaClient>> clients;
  Turns turns(world.world().clock);
  std::map<std::string, std::unique_ptr<Solver>> solvers;
  for (const CaConfig& each : config.cas) {
    clients[each.name] = std::make_unique<CaClient>(world.world(), files, events, each,
                                                    config.contact, CaClient::FirstContact::once);
  }
  for (const auto& [name, challenge] : config.challenges) {
    solvers[name] = make_solver(challenge, world.world(), turns);
  }
  CheckContext context{world.world(),
                       config,
                       files,
                       [&](const std::string& name) -> CaClient& { return *clients.at(name); },
                       [&](const std::string& name) { return solvers.at(name).get(); },
                       std::move(daemon)};
  std::optional<Findings> found;
  const auto began = world.clock.uptime();
  run_self_test(std::move(context), family.checks, {std::move(names), deep},
                [&](Findings all) { found = std::move(all); });
  REQUIRE(world.clock.run_until([&] { return found.has_value(); }));
  took = world.clock.uptime() - began;
  world.clock.drop_all();
  std::vector<Finding> wrong;
  for (const Finding& finding : found->all) {
    CHECK(find_code_page(finding.code) != nullptr);
    if (finding.severity == FindingSeverity::ok) continue;
    CHECK(finding.summary != "");
    CHECK(finding.evidence != "");
    CHECK(finding.fix != "");
    wrong.push_back(finding);
  }
  return wrong;
}

std::vector<std::string> CheckScene::brief(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) {
    lines.push_back(finding.code + " " + name_of(finding.severity) + " " + finding.certificate +
                    " [" + finding.subject + "]");
  }
  return lines;
}

const Finding& the(const std::vector<Finding>& findings, const std::string& code) {
  for (const Finding& finding : findings) {
    if (finding.code == code) return finding;
  }
  std::string all;
  for (const std::string& line : CheckScene::brief(findings)) all += line + "\n";
  CAPTURE(all);
  FAIL("no finding ", code);
  return findings.front();
}

const Finding& only(const std::vector<Finding>& findings) {
  REQUIRE(findings.size() == 1);
  return findings.front();
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace nolapse
