// What the simulator itself rests on: the plan of faults, the judgement of what was well when, and
// that a run can be repeated. Its invariants are proved by tests/mutations.
#include "tests/simulation/simulation.h"

#include <doctest/doctest.h>

#include "tests/simulation/fault_plan.h"
#include "tests/simulation/health.h"

using namespace nolapse;
using namespace std::chrono_literals;

TEST_CASE("classes of faults are read and written by their names") {
  CHECK(parse_faults("none")->empty());
  CHECK(parse_faults("all")->size() == all_fault_classes().size());
  CHECK(text_of(*parse_faults("all")) == "all");
  CHECK(text_of(*parse_faults("dns,ca-outage")) == "ca-outage,dns");
  CHECK_FALSE(parse_faults("dns,").has_value());
  CHECK_FALSE(parse_faults("nds").has_value());
  CHECK_FALSE(parse_faults("").has_value());
}

TEST_CASE("leaving out a class of faults does not move the others") {
  Scenario scenario;
  scenario.faults = *parse_faults("dns,disk,crash");
  const auto all = plan_faults(scenario, {2, 3, 10});
  scenario.faults = *parse_faults("disk");
  const auto alone = plan_faults(scenario, {2, 3, 10});
  std::vector<Fault> of_the_disk;
  for (const Fault& fault : all)
    if (fault.fault == FaultClass::disk) of_the_disk.push_back(fault);
  REQUIRE(alone.size() == of_the_disk.size());
  REQUIRE(alone.size() > 10);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    CHECK(alone[i].from == of_the_disk[i].from);
    CHECK(alone[i].amount == of_the_disk[i].amount);
  }
}

TEST_CASE("no fault reaches into a quiet time") {
  Scenario scenario;
  scenario.days = 730;
  scenario.faults = *parse_faults("all");
  const auto quiet = quiet_times(730 * 24h);
  CHECK(quiet.size() == 4);
  CHECK(quiet.back() == 722 * 24h);
  for (const Fault& fault : plan_faults(scenario, {3, 5, 20})) {
    CHECK(fault.until >= fault.from);
    for (const Duration begin : quiet) {
      const bool outside = fault.until <= begin || fault.from >= begin + quiet_time;
      CHECK(outside);
    }
  }
}

TEST_CASE("the longest stretch in which all parts were well is found between their sicknesses") {
  const Time start{};
  Health health;
  const auto sick = [&](const char* part, Duration from, Duration until) {
    health.fall_ill(part, start + from);
    health.recover(part, start + until);
  };
  sick("disk", 10h, 12h);
  sick("disk", 40h, 41h);
  sick("ca", 11h, 20h);
  const auto longest = [&](const std::vector<std::string>& parts, Duration from, Duration until) {
    return health.longest_stretch(parts, start + from, start + until);
  };
  CHECK(longest({"disk", "ca"}, 0h, 50h) == 20h);
  CHECK(longest({"disk"}, 0h, 50h) == 28h);
  CHECK(longest({"ca"}, 0h, 50h) == 30h);
  CHECK(longest({"disk", "ca"}, 15h, 30h) == 10h);
  CHECK(longest({"disk", "ca"}, 11h, 19h) == 0h);
  CHECK(longest({"nothing"}, 3h, 9h) == 6h);
  CHECK(health.well_since({"disk", "ca"}, start) == start + 41h);
  health.fall_ill("ca", start + 60h);
  health.fall_ill("ca", start + 61h);
  health.recover("ca", start + 62h);  // one of two
  CHECK_FALSE(health.well("ca"));
  CHECK_FALSE(health.well_since({"disk", "ca"}, start).has_value());
  CHECK(longest({"ca"}, 50h, 70h) == 10h);
}

TEST_CASE("a fleet to which nothing happens has nothing to report, and does the same again") {
  Scenario scenario;
  scenario.certificates = 3;
  scenario.days = 60;
  const SimulationReport report = simulate(scenario);
  for (const Violation& violation : report.violations) MESSAGE(violation.text);
  CHECK(report.violations.empty());
  CHECK(report.alert_events == 0);
  CHECK(report.issued >= 3);
  CHECK(report.lapses.avoidable + report.lapses.unavoidable == 0);
  CHECK(simulate(scenario).trace_hash == report.trace_hash);
  scenario.seed = 2;
  CHECK(simulate(scenario).trace_hash != report.trace_hash);
}
