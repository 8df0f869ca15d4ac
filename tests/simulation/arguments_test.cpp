// What the simulator is called with, and what it makes of a run that fails.
#include "tests/simulation/arguments.h"

#include <doctest/doctest.h>

#include "tests/simulation/shrink.h"

using namespace nolapse;

TEST_CASE("what nolapse-sim cannot have been meant to do is refused in one line") {
  const std::vector<std::vector<std::string>> refused = {
      {"--seeds", "1"},
      {"--seeds", "3..1"},
      {"--seeds", "a..b"},
      {"--seeds", "1..2..3"},
      {"--seeds", "-1..2"},
      {"--seeds", "1..2x"},
      {"--seed", "1", "--seeds", "1..2"},
      {"--seed", "first"},
      {"--seed", "-1"},
      {"--certificates", "0"},
      {"--certificates", "-3"},
      {"--certificates", "many"},
      {"--certificates", "100001"},
      {"--days", "0"},
      {"--days", "36501"},
      {"--days", "3", "--years", "1"},
      {"--years", "0"},
      {"--years", "-2"},
      {"--years", "0.001"},
      {"--years", "nan"},
      {"--years", "1e300"},
      {"--faults", "dns,weather"},
      {"--faults", ""},
      {"--faults", "dns,"},
      {"--first-fault", "7", "--last-fault", "7"},
      {"--no-such-option"},
      {"stray"},
  };
  for (const auto& arguments : refused) {
    std::string shown;
    for (const std::string& each : arguments) shown += each + " ";
    CAPTURE(shown);
    const auto parsed = parse_simulation_arguments(arguments);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().message.empty());
    CHECK(parsed.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("what nolapse-sim is called with is what it does") {
  const auto parsed = parse_simulation_arguments(
      {"--seeds", "3..5", "--certificates", "7", "--years", "1.5", "--faults", "dns,crash",
       "--first-fault", "2", "--last-fault", "9", "--shrink"});
  REQUIRE(parsed);
  CHECK(parsed->scenario.seed == 3);
  CHECK(parsed->last_seed == 5);
  CHECK(parsed->scenario.command("sim") ==
        "sim --seed 3 --certificates 7 --days 547 --faults dns,crash --first-fault 2 "
        "--last-fault 9");
  CHECK(parsed->shrink);
  CHECK_FALSE(parsed->trace);
  CHECK(parse_simulation_arguments({"--seed", "8"})->last_seed == 8);
  CHECK(parse_simulation_arguments({})->scenario.faults.size() == all_fault_classes().size());
  CHECK_FALSE(parse_simulation_arguments({"--help"})->help.empty());
}

TEST_CASE("a run that fails is reduced to what it needs in order to fail") {
  constexpr unsigned needed_fault = 37;
  int runs = 0;
  // Each certificate and day would bring a fault more.
  const auto run = [&](const Scenario& scenario) {
    ++runs;
    SimulationReport report;
    const unsigned planned = scenario.certificates * scenario.days / 10;
    const unsigned last = std::min(scenario.last_fault, planned);
    report.faults = last > scenario.first_fault ? last - scenario.first_fault : 0;
    const bool fails = scenario.faults.contains(FaultClass::dns) && scenario.certificates >= 3 &&
                       scenario.days >= 100 && scenario.first_fault <= needed_fault &&
                       last > needed_fault;
    if (fails) report.violations.push_back({"it lapses", {}, {}});
    report.violations.push_back({"another one", {}, {}});
    return report;
  };
  Scenario scenario;
  scenario.certificates = 24;
  scenario.days = 800;
  scenario.faults = *parse_faults("all");
  const Scenario smallest = shrink(scenario, "it lapses", run);
  CHECK(text_of(smallest.faults) == "dns");
  CHECK(smallest.certificates == 3);
  CHECK(smallest.days == 200);  // halves of 800: with 100 there are too few faults
  CHECK(smallest.first_fault <= needed_fault);
  CHECK(smallest.last_fault > needed_fault);
  CHECK(smallest.last_fault - smallest.first_fault <= 3);
  CHECK(run(smallest).violations.front().invariant == "it lapses");
  CHECK(runs < 60);
}
