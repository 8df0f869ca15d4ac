// The runner of the self-tests: whatever a check does, nobody is told that all is well without
// evidence. And the catalogue: what a check may report, an operator can look up.
#include "agent/core/self_test.h"

#include <doctest/doctest.h>

#include <set>

#include "agent/core/check_catalogue.h"
#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

struct Bench {
  Bench() : store("/state", world.files) {
    config.state_directory = "/state";
    CertificateSpec spec;
    spec.name = "shop";
    spec.cas = {"ca"};
    spec.domains = {{"dns", "shop.test"}};
    spec.endpoints = std::vector<Endpoint>{};
    spec.deploy = {"nginx", "mail"};
    config.certificates = {spec};
    config.certificates.push_back(spec);
    config.certificates.back().name = "blog";
    config.certificates.back().deploy = {};
    config.cas.emplace_back().name = "ca";
    for (const char* target : {"nginx", "mail"}) {
      config.targets[target].name = target;
      config.targets[target].section = target;
    }
  }

  Findings run(std::vector<Check> checks, SelfTestRequest request = {}) {
    CheckContext context{world.world(), config, store, {}, {}, {}};
    std::optional<Findings> found;
    run_self_test(std::move(context), checks, std::move(request),
                  [&](Findings findings) { found = std::move(findings); });
    world.clock.run_until([&] { return found.has_value(); });
    REQUIRE(found);
    // A report that comes late must not hurt anybody.
    world.clock.run_for(10min);
    return *found;
  }

  FakeWorld world{1};
  Config config;
  Store store;
};

Check check_that(CheckScope scope, decltype(Check::run) run) {
  return {{"CODE"}, CheckDepth::cheap, scope, std::move(run)};
}

Finding only(const Findings& findings) {
  REQUIRE(findings.all.size() == 1);
  return findings.all.front();
}

}  // namespace

TEST_CASE("a check that finds nothing is fine, and is named") {
  Bench bench;
  const Finding fine = only(bench.run({plain_check(
      {"CODE"}, CheckDepth::cheap, CheckScope::host,
      [](const CheckContext&, const CheckSubject&) { return std::vector<Finding>{}; })}));
  CHECK(fine.severity == FindingSeverity::ok);
  CHECK(fine.code == "CODE");
}

TEST_CASE("a check that throws is unknown, never fine") {
  Bench bench;
  const Finding finding = only(bench.run({check_that(
      CheckScope::host, [](const std::shared_ptr<const CheckContext>&, const CheckSubject&,
                           const CheckReport&) { throw std::runtime_error("out of luck"); })}));
  CHECK(finding.severity == FindingSeverity::unknown);
  CHECK(finding.code == "CHECK_FAILED");
  CHECK(finding.subject == "CODE");
  CHECK(finding.evidence == "out of luck");
}

TEST_CASE("a check that hangs is unknown, and what it says too late counts for nothing") {
  Bench bench;
  const Finding finding = only(
      bench.run({check_that(CheckScope::host, [](const std::shared_ptr<const CheckContext>& context,
                                                 const CheckSubject&, const CheckReport& report) {
        context->world.clock.start_timer(check_deadline + 1s, [report] { report({}); });
      })}));
  CHECK(finding.severity == FindingSeverity::unknown);
  CHECK(finding.code == "CHECK_TIMED_OUT");
}

TEST_CASE("one check that hangs holds up no other") {
  Bench bench;
  const auto hang = check_that(CheckScope::host, [](const std::shared_ptr<const CheckContext>&,
                                                    const CheckSubject&, const CheckReport&) {});
  std::vector<Check> checks(30, hang);
  checks.push_back(
      plain_check({"OTHER"}, CheckDepth::cheap, CheckScope::host,
                  [](const CheckContext&, const CheckSubject&) { return std::vector<Finding>{}; }));
  const Findings findings = bench.run(checks);
  CHECK(findings.all.size() == 31);
  CHECK(findings.all.back().code == "OTHER");
}

TEST_CASE("a check is run for each of its subjects, and its findings say for which") {
  const auto subjects = [](CheckScope scope, SelfTestRequest request = {}) {
    Bench bench;
    const Check check = plain_check(
        {"CODE"}, CheckDepth::cheap, scope, [](const CheckContext&, const CheckSubject&) {
          return std::vector<Finding>{{"CODE", {}, {}, FindingSeverity::error, {}, {}, {}, {}}};
        });
    std::set<std::string> all;
    for (const Finding& finding : bench.run({check}, std::move(request)).all) {
      all.insert(finding.certificate + "/" + finding.subject);
    }
    return all;
  };
  using Set = std::set<std::string>;
  CHECK(subjects(CheckScope::host) == Set{"/"});
  CHECK(subjects(CheckScope::ca) == Set{"/CA ca"});
  CHECK(subjects(CheckScope::certificate) == Set{"shop/", "blog/"});
  CHECK(subjects(CheckScope::target) == Set{"shop/target nginx", "shop/target mail"});
  CHECK(subjects(CheckScope::certificate_and_ca) == Set{"shop/CA ca", "blog/CA ca"});
  // Whoever asks for one certificate is not told of the host.
  CHECK(subjects(CheckScope::certificate, {{"blog"}, false}) == Set{"blog/"});
  CHECK(subjects(CheckScope::host, {{"blog"}, false}).empty());
}

TEST_CASE("deep checks run only where that is wanted") {
  Bench bench;
  Check deep =
      plain_check({"DEEP"}, CheckDepth::deep, CheckScope::host,
                  [](const CheckContext&, const CheckSubject&) { return std::vector<Finding>{}; });
  CHECK(bench.run({deep}).all.empty());
  CHECK(bench.run({deep}, {{}, true}).all.size() == 1);
}

TEST_CASE("a self-test of many certificates lets others have their turn") {
  Bench bench;
  for (int i = 0; i < 200; ++i) {
    bench.config.certificates.push_back(bench.config.certificates.back());
    bench.config.certificates.back().name = "c" + std::to_string(i);
  }
  unsigned in_this_turn = 0;
  unsigned most = 0;
  bool ended = false;
  std::function<void()> tick = [&] {
    most = std::max(most, in_this_turn);
    in_this_turn = 0;
    if (!ended) bench.world.clock.start_timer(0ms, tick);
  };
  tick();
  const auto count = [&](const CheckContext&, const CheckSubject&) {
    ++in_this_turn;
    return std::vector<Finding>{};
  };
  const std::vector<Check> checks(
      20, plain_check({"CODE"}, CheckDepth::cheap, CheckScope::certificate, count));
  const Check last = plain_check({"LAST"}, CheckDepth::cheap, CheckScope::certificate,
                                 [&](const CheckContext&, const CheckSubject& subject) {
                                   ended = subject.certificate->name == "c199";
                                   return std::vector<Finding>{};
                                 });
  std::vector<Check> all = checks;
  all.push_back(last);
  CHECK(bench.run(all).all.size() == 202 * 21);
  CHECK(most > 0);
  CHECK(most <= 128);
}

TEST_CASE("what is fine is left out where only faults are wanted") {
  Bench bench;
  const Check check =
      plain_check({"CODE"}, CheckDepth::cheap, CheckScope::certificate,
                  [](const CheckContext&, const CheckSubject& subject) {
                    std::vector<Finding> findings;
                    if (subject.certificate->name == "blog") {
                      findings.push_back({"CODE", {}, {}, FindingSeverity::error, {}, {}, {}, {}});
                    }
                    return findings;
                  });
  CHECK(bench.run({check}).all.size() == 2);
  CHECK(only(bench.run({check}, {{}, false, true})).certificate == "blog");
}

TEST_CASE("the worst comes first") {
  Bench bench;
  const auto check = plain_check({"CODE"}, CheckDepth::cheap, CheckScope::host,
                                 [](const CheckContext&, const CheckSubject&) {
                                   using enum FindingSeverity;
                                   std::vector<Finding> findings;
                                   for (const auto severity : {ok, warning, unknown, error}) {
                                     findings.push_back({"CODE", {}, {}, severity, {}, {}, {}, {}});
                                   }
                                   return findings;
                                 });
  std::string order;
  for (const Finding& finding : bench.run({check}).all) {
    order += std::string(name_of(finding.severity)) + " ";
  }
  CHECK(order == "error warning unknown ok ");
}

TEST_CASE("every code that a check may report has a page, and every page says what to do") {
  std::set<std::string> pages;
  for (const CodePage& page : code_pages()) {
    CAPTURE(page.code);
    CHECK(pages.insert(page.code).second);
    for (const char* text : {page.meaning, page.cause, page.confirm, page.fix}) {
      CHECK(std::string(text).size() >= 5);
    }
    CHECK(std::string(page.meaning).find('\n') == std::string::npos);
  }
  std::set<std::string> reported = {"CHECK_FAILED", "CHECK_TIMED_OUT", "SELF_TEST_OLD"};
  for (const Check& check : all_checks()) {
    for (const char* code : check.codes) {
      CAPTURE(code);
      CHECK(pages.contains(code));
      reported.insert(code);
    }
  }
  for (const std::string& code : pages) {
    CAPTURE(code);
    CHECK(reported.contains(code));
  }
}
