// A renewal is green only as long as nothing speaks against it: as tables of what is known.
#include "agent/core/renewal_doubts.h"

#include <doctest/doctest.h>

#include "agent/core/check_catalogue.h"
#include "agent/core/self_test_watch.h"
#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

struct Known {
  Known() {
    CertificateSpec spec;
    spec.name = "shop";
    spec.domains = {{"dns", "shop.test"}};
    spec.cas = {"first", "second"};
    spec.challenges = {"web", "zone"};
    spec.deploy = {"nginx", "mail"};
    config.certificates = {spec};
    for (const char* name : {"first", "second"}) config.cas.emplace_back().name = name;
    config.targets["nginx"].name = "nginx";
    config.targets["mail"].name = "mail";
    acme::Certificate leaf;
    leaf.not_before = now;
    leaf.not_after = now + 90 * 24h;
    leaf.subject_alternative_names = spec.domains;
    newest.number = 8;
    newest.issued_at = now;
    newest.chain = {leaf};
    evidence.now = now;
    evidence.findings->checked_at = now;
  }
  CertificateStatus status() const {
    StatusInput input{config.certificates.front(), config, newest, {}, deployments, {}};
    input.now = evidence.now;
    CertificateStatus status = make_status(std::move(input));
    weigh(status, config.certificates.front(), config, evidence, rehearsals);
    return status;
  }
  std::string renewal() const { return name_of(status().renewal); }
  void find(const char* code, FindingSeverity severity, const char* certificate = "shop",
            const char* subject = "") {
    evidence.findings->findings = {
        {code, certificate, subject, severity, "a summary", "evidence", "a fix", now - 1h}};
  }
  void rehearsed(const char* ca, RehearsalResult result, Time at = now) {
    RehearsalRecord record;
    record.at = at;
    record.result = result;
    record.not_shown = {"the proof"};
    (*rehearsals)[ca] = record;
  }

  Config config;
  Generation newest;
  DeploymentRecords deployments;
  HostEvidence evidence;
  Result<RehearsalRecords> rehearsals = RehearsalRecords{};
};

}  // namespace

TEST_CASE("what self-tests found and what stands in the way lets a renewal fail") {
  using enum FindingSeverity;
  struct Row {
    const char* code;
    FindingSeverity severity;
    const char* certificate;
    const char* subject;
    const char* renewal;
  };
  const Row rows[] = {
      {"PORT_IN_USE", error, "shop", "challenge web", "failing"},
      {"PORT_IN_USE", error, "shop", "challenge zone", "ok"},  // its second choice
      {"PORT_IN_USE", warning, "shop", "challenge web", "ok"},
      {"PORT_IN_USE", error, "blog", "challenge web", "ok"},
      {"HOOK_CHECK_FAILED", error, "shop", "target nginx", "failing"},
      {"CA_UNREACHABLE", error, "", "CA first", "failing"},
      {"CA_UNREACHABLE", error, "", "CA second", "ok"},
      {"CLOCK_WRONG", error, "", "", "failing"},
      {"NOBODY_THOUGHT_OF_IT", error, "shop", "", "failing"},
      {"NOT_SERVED", error, "shop", "", "ok"},  // the other axis
      {"ALERT_CHANNELS_FEW", error, "", "", "ok"},
      {"DNSSEC_BOGUS", unknown, "shop", "", "unknown"},
      {"CHECK_TIMED_OUT", unknown, "shop", "PORT_IN_USE", "unknown"},
      {"CHECK_TIMED_OUT", unknown, "shop", "NOT_SERVED", "ok"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.code);
    CAPTURE(row.subject);
    Known known;
    known.find(row.code, row.severity, row.certificate, row.subject);
    const CertificateStatus status = known.status();
    CHECK(name_of(status.renewal) == std::string(row.renewal));
    CHECK(status.doubts.empty() == (status.renewal == RenewalHealth::ok));
    if (!status.doubts.empty()) CHECK(status.renew_reason == row.code + std::string(": a summary"));
  }
}

TEST_CASE("old findings are none, and self-tests that do not end leave nobody knowing") {
  Known known;
  known.find("PORT_IN_USE", FindingSeverity::error);
  known.evidence.findings->checked_at = now - 2 * known.config.daemon.check_interval - 11min;
  CHECK(known.renewal() == "unknown");
  CHECK(known.status().doubts.front().code == "SELF_TEST_OLD");
  known.evidence.heartbeat.state = Heartbeat::State::renewed;
  CHECK(known.renewal() == "ok");
  known.evidence.findings = fail(ErrorKind::local, "BAD_STATE", "damaged");
  CHECK(known.renewal() == "unknown");
}

TEST_CASE("where nobody renews by himself, nobody knows whether it will be renewed") {
  const auto renewal = [](Heartbeat::State state) {
    Known known;
    known.evidence.heartbeat.state = state;
    return known.renewal();
  };
  using enum Heartbeat::State;
  CHECK(renewal(beating) == "ok");
  CHECK(renewal(renewed) == "ok");
  CHECK(renewal(silent) == "unknown");
  CHECK(renewal(unknown) == "unknown");
  CHECK(renewal(never) == "unknown");
  Known known;
  known.evidence.heartbeat.state = renewed;
  CHECK(known.status().doubts.empty());
}

TEST_CASE("a rehearsal that failed lets a renewal fail; one that is too old, nobody knows") {
  struct Row {
    const char* ca;
    RehearsalResult result;
    Duration age;
    const char* renewal;
    RehearsalStanding::State state;
  };
  using enum RehearsalStanding::State;
  constexpr Duration day = 24h;
  const Row rows[] = {
      {"first", RehearsalResult::passed, day, "ok", passed},
      {"first", RehearsalResult::partial, day, "ok", partial},
      {"first", RehearsalResult::failed, day, "failing", failed},
      {"first", RehearsalResult::passed, 11 * day, "ok", old},
      {"first", RehearsalResult::passed, 21 * day, "unknown", old},
      {"second", RehearsalResult::failed, day, "ok", failed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.ca);
    CAPTURE(row.age.count());
    Known known;
    known.rehearsed(row.ca, row.result, now - row.age);
    CHECK(known.renewal() == row.renewal);
    CHECK((known.status().rehearsals[row.ca].state == row.state));
  }
  Known unreadable;
  unreadable.rehearsals = fail(ErrorKind::local, "BAD_STATE", "damaged");
  CHECK(unreadable.renewal() == "unknown");
}

TEST_CASE("what its own records say is never made better, and due stays due for who knows not") {
  Known known;
  known.evidence.now = now + 60 * 24h;
  known.rehearsed("first", RehearsalResult::passed, known.evidence.now);
  known.evidence.findings->checked_at = known.evidence.now;
  known.evidence.heartbeat.state = Heartbeat::State::silent;
  CHECK(known.renewal() == "due");
  known.find("PORT_IN_USE", FindingSeverity::error);
  CHECK(known.renewal() == "failing");
}

TEST_CASE("every code that is not in the way is one that a check may report") {
  for (const std::string_view code : codes_not_in_the_way()) {
    CAPTURE(std::string(code));
    CHECK(find_code_page(code) != nullptr);
  }
}

TEST_CASE("a target that has no certificate any more is not spoken of; one that failed counts") {
  Known known;
  known.deployments["gone"].failures = 1;
  known.deployments["nginx"].stage = DeploymentStage::verified;
  CHECK(known.status().deployments.size() == 1);
  CHECK_FALSE(known.status().has_failed_target());
  known.deployments["nginx"].failures = 1;
  CHECK(known.status().has_failed_target());
}

TEST_CASE("a target waits for its window, or for a person who took the newest back") {
  Known known;
  known.config.targets["nginx"].window = DailyWindow{2h, 5h};
  for (const char* name : {"nginx", "mail"}) {
    known.deployments[name].stage = DeploymentStage::verified;
    known.deployments[name].generation = 7;
  }
  known.deployments["nginx"].next_attempt = now + 17h;
  known.deployments["mail"].withdrawn = 8;
  const auto waits = known.status().waits;
  REQUIRE(waits.size() == 2);
  CHECK((waits[0].reason == TargetWait::Reason::window));
  CHECK(waits[0].until == now + 17h);
  CHECK(waits[0].window == "02:00-05:00");
  CHECK(waits[0].has == 7);
  CHECK(waits[0].generation == 8);
  CHECK((waits[1].reason == TargetWait::Reason::taken_back));
  known.deployments["nginx"].failures = 1;  // that is no waiting
  known.deployments["mail"].generation = 8;
  CHECK(known.status().waits.empty());
}

TEST_CASE("a cheap self-test takes over what the deep one found, and says when nobody knows") {
  Known known;
  const std::vector<std::string> all;
  const std::vector<std::string> blog = {"blog"};
  const auto codes = [&](const std::vector<std::string>& names, std::optional<Time> expected = {},
                         bool deep = false) {
    Findings found{now, deep, {{"HOOK_MISSING", "shop", "", FindingSeverity::ok, "", "", "", {}}}};
    take_over_deep(found, known.evidence.findings, {known.config, names, expected});
    std::string text;
    for (const Finding& finding : found.all) text += finding.code + " ";
    return text;
  };
  known.find("PORT_IN_USE", FindingSeverity::error, "shop", "challenge web");
  known.evidence.findings->deep_checked_at = now - 24h;
  CHECK(codes(all) == "PORT_IN_USE HOOK_MISSING ");
  CHECK(codes({"shop"}) == "PORT_IN_USE HOOK_MISSING ");
  CHECK(codes(blog) == "HOOK_MISSING ");
  CHECK(codes(all, {}, true) == "HOOK_MISSING ");
  known.find("HOOK_MISSING", FindingSeverity::error);  // a cheap one: it was just looked for
  CHECK(codes(all) == "HOOK_MISSING ");
  known.find("CA_UNREACHABLE", FindingSeverity::error, "", "CA first");
  CHECK(codes({"shop"}) == "CA_UNREACHABLE HOOK_MISSING ");
  CHECK(codes(blog) == "HOOK_MISSING ");
  known.evidence.findings->deep_checked_at = now - 2 * known.config.daemon.deep_check_interval - 1h;
  CHECK(codes(all, now - 1h) == "SELF_TEST_OLD HOOK_MISSING ");
  CHECK(codes(all, now - 1min) == "HOOK_MISSING ");  // a daemon that has just begun
  CHECK(codes(all) == "HOOK_MISSING ");              // a host without one
  known.evidence.findings = fail(ErrorKind::local, "PERMISSION_DENIED", "denied");
  CHECK(codes(all, Time{}) == "SELF_TEST_OLD HOOK_MISSING ");
}

namespace {

// A configuration that a look takes, and the files that only work needs.
struct Disk {
  Disk() {
    files.put("/etc/nolapse/nolapse.toml",
              "state_dir = \"/state\"\n"
              "[[ca]]\nname = \"own\"\ndirectory = \"https://ca.test/directory\"\n"
              "roots = \"roots.pem\"\nterms_of_service_agreed = true\n"
              "[challenge.web]\ntype = \"http-01\"\nlisten = \"127.0.0.1:80\"\n"
              "[[certificate]]\nname = \"shop\"\ndomains = [\"shop.test\"]\n"
              "challenge = \"web\"\ndeploy = [\"nginx\"]\n"
              "[deploy.nginx]\nhook = \"/hooks/nginx\"\n");
    files.put("/etc/nolapse/roots.pem", "-----BEGIN CERTIFICATE-----\n");
    files.put("/hooks/nginx", "#!/bin/sh\n", 0755);
  }
  std::vector<Finding> doubts() {
    auto loaded = load_config(files, "/etc/nolapse/nolapse.toml", {}, ConfigUse::look);
    REQUIRE(loaded.problems.empty());
    return configuration_doubts(files, loaded.config);
  }

  FakeWorld world{1};
  FakeFiles& files = world.files;
};

}  // namespace

TEST_CASE("a configuration that work would refuse speaks against every renewal") {
  Disk disk;
  CHECK(disk.doubts().empty());
  disk.files.put("/hooks/nginx", "#!/bin/sh\n", 0644);
  disk.files.erase("/etc/nolapse/roots.pem");
  Known known;
  known.evidence.configuration = disk.doubts();
  REQUIRE(known.evidence.configuration.size() == 2);
  CHECK(known.evidence.configuration[0].evidence.find("roots.pem does not exist") !=
        std::string::npos);
  CHECK(known.evidence.configuration[1].fix == "run: chmod +x /hooks/nginx");
  CHECK(known.renewal() == "failing");
  CHECK(known.status().renew_reason.starts_with("CONFIG_BROKEN: "));

  known.evidence.findings->findings = known.evidence.configuration;  // the daemon found it, too
  CHECK(known.status().doubts.size() == 2);
}

TEST_CASE("what this user may not look at is no doubt") {
  Disk disk;
  disk.files.set_unreadable("/etc/nolapse/roots.pem", true);
  CHECK(disk.doubts().empty());
  disk.files.put("/hooks/nginx", "#!/bin/sh\n", 0644);  // as everybody sees
  CHECK(disk.doubts().size() == 1);
}
