#include "tests/simulation/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

namespace nolapse {

namespace {

constexpr unsigned most_certificates = 100'000;
constexpr unsigned most_days = 36'500;

tl::unexpected<acme::Error> refuse(const std::string& text) {
  return acme::fail(acme::ErrorKind::input, "BAD_ARGUMENT", text);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return {};
  return number;
}

// "A..B"
acme::Result<void> take_seeds(const std::string& text, SimulationArguments& arguments) {
  const std::size_t dots = std::min(text.find(".."), text.size());
  const auto first = number_of(std::string_view(text).substr(0, dots));
  const auto last = number_of(std::string_view(text).substr(std::min(dots + 2, text.size())));
  if (!first || !last || *first > *last) {
    return refuse("--seeds " + text + ": must be two numbers, the smaller first, such as 1..20");
  }
  arguments.scenario.seed = *first;
  arguments.last_seed = *last;
  return {};
}

acme::Result<void> take_faults(const std::string& text, Scenario& scenario) {
  const auto faults = parse_faults(text);
  if (!faults) {
    std::string known;
    for (const FaultClass each : all_fault_classes()) known += std::string(", ") + name_of(each);
    return refuse("--faults " + text + ": must be all, none, or of these, with commas between" +
                  known);
  }
  scenario.faults = *faults;
  return {};
}

acme::Result<void> check(const Scenario& scenario) {
  const auto in_range = [](unsigned number, unsigned most) { return number > 0 && number <= most; };
  if (!in_range(scenario.certificates, most_certificates)) {
    return refuse("--certificates: must be from 1 to " + std::to_string(most_certificates));
  }
  if (!in_range(scenario.days, most_days)) {
    return refuse("--days, or --years: must be from 1 day to " + std::to_string(most_days));
  }
  if (scenario.first_fault >= scenario.last_fault) {
    return refuse("--first-fault must be less than --last-fault");
  }
  return {};
}

}  // namespace

acme::Result<SimulationArguments> parse_simulation_arguments(std::vector<std::string> words) {
  SimulationArguments arguments;
  Scenario& scenario = arguments.scenario;
  double years = 0;
  std::string one_seed;  // as text: CLI11 makes a large number of a negative one
  std::string seeds;
  std::string faults = "all";
  CLI::App app("nolapse-sim runs the renewal engine against years of a bad world.", "nolapse-sim");
  auto* seed = app.add_option("--seed", one_seed, "picks the world and its faults");
  app.add_option("--seeds", seeds, "A..B: these seeds, one after the other")->excludes(seed);
  app.add_option("--certificates", scenario.certificates)->capture_default_str();
  auto* days = app.add_option("--days", scenario.days)->capture_default_str();
  auto* by_years = app.add_option("--years", years)->excludes(days);
  app.add_option("--faults", faults, "all, none, or classes with commas between")
      ->capture_default_str();
  app.add_option("--first-fault", scenario.first_fault, "leave out those before");
  app.add_option("--last-fault", scenario.last_fault, "leave out this and those behind");
  app.add_flag("--shrink", arguments.shrink, "reduce a run that fails");
  app.add_flag("--trace", arguments.trace, "print everything that happens");
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    arguments.help = app.help();
    return arguments;
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  if (*by_years) {
    const double wanted = years * 365;
    scenario.days = wanted >= 1 && wanted <= most_days ? static_cast<unsigned>(wanted) : 0;
  }
  if (*seed) {
    const auto number = number_of(one_seed);
    if (!number) return refuse("--seed " + one_seed + ": must be a number, such as 7");
    scenario.seed = *number;
  }
  arguments.last_seed = scenario.seed;
  if (!seeds.empty()) {
    if (auto taken = take_seeds(seeds, arguments); !taken) return acme::fail(taken.error());
  }
  if (auto taken = take_faults(faults, scenario); !taken) return acme::fail(taken.error());
  if (auto checked = check(scenario); !checked) return acme::fail(checked.error());
  return arguments;
}

}  // namespace nolapse
