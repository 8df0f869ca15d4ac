// nolapse-sim: the real core in a fake world, for years, with whatever goes wrong. The same
// arguments give the same trace. A violation prints the command that replays it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <iostream>

#include "tests/simulation/shrink.h"
#include "tests/simulation/simulation.h"

namespace {

using namespace nolapse;

struct Arguments {
  Scenario scenario;
  std::string faults = "all";
  double years = 0;
  std::string seeds;
  bool shrink = false;
  bool trace = false;
};

std::string program;  // as it was called

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void print_report(const Scenario& scenario, const SimulationReport& report, double seconds) {
  std::printf(
      "seed %llu: %.1f certificate-years, %zu faults, %llu crashes, %llu issued, %llu failed "
      "attempts, %llu alert events, lapses %u avoidable %u not, trace %s, %.2f s CPU (%.0f "
      "certificate-years a minute)\n",
      static_cast<unsigned long long>(scenario.seed), report.certificate_years, report.faults,
      static_cast<unsigned long long>(report.crashes),
      static_cast<unsigned long long>(report.issued),
      static_cast<unsigned long long>(report.failed_attempts),
      static_cast<unsigned long long>(report.alert_events), report.lapses.avoidable,
      report.lapses.unavoidable, report.trace_hash.c_str(), seconds,
      report.certificate_years / (seconds > 0 ? seconds : 1e-3) * 60);
  for (const Violation& violation : report.violations) {
    std::printf("VIOLATED: %s\n  at %s: %s\n  replay: %s\n", violation.invariant.c_str(),
                acme::format_rfc3339(violation.at).c_str(), violation.text.c_str(),
                scenario.command(program).c_str());
  }
  std::fflush(stdout);
}

SimulationOptions options_of(const Arguments& arguments) {
  SimulationOptions options;
  if (arguments.trace) options.trace = [](const std::string& line) { std::puts(line.c_str()); };
  if (isatty(STDERR_FILENO) == 1) {
    options.progress = [](unsigned day, unsigned of) {
      if (day % 10 == 0) std::fprintf(stderr, "\rday %u of %u ", day, of);
    };
  }
  return options;
}

// Did everything hold?
bool run(const Arguments& arguments, std::uint64_t seed) {
  Scenario scenario = arguments.scenario;
  scenario.seed = seed;
  const double before = cpu_seconds();
  const SimulationReport report = simulate(scenario, options_of(arguments));
  print_report(scenario, report, cpu_seconds() - before);
  if (report.violations.empty()) return true;
  if (arguments.shrink) {
    const Scenario smallest =
        shrink(scenario, report.violations.front().invariant, [](const Scenario& tried) {
          std::fprintf(stderr, "%s\n", tried.command(program).c_str());
        });
    std::printf("smallest: %s\n", smallest.command(program).c_str());
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  program = argv[0];
  Arguments arguments;
  CLI::App app("nolapse-sim runs the renewal engine against years of a bad world.", "nolapse-sim");
  app.add_option("--seed", arguments.scenario.seed, "picks the world and its faults");
  app.add_option("--seeds", arguments.seeds, "A..B: these seeds, one after the other");
  app.add_option("--certificates", arguments.scenario.certificates)->capture_default_str();
  auto* days = app.add_option("--days", arguments.scenario.days)->capture_default_str();
  app.add_option("--years", arguments.years)->excludes(days);
  app.add_option("--faults", arguments.faults, "all, none, or classes with commas between")
      ->capture_default_str();
  app.add_option("--first-fault", arguments.scenario.first_fault, "leave out those before");
  app.add_option("--last-fault", arguments.scenario.last_fault, "leave out this and those behind");
  app.add_flag("--shrink", arguments.shrink, "reduce a run that fails");
  app.add_flag("--trace", arguments.trace, "print everything that happens");
  CLI11_PARSE(app, argc, argv);

  if (arguments.years > 0) arguments.scenario.days = static_cast<unsigned>(arguments.years * 365);
  const auto faults = parse_faults(arguments.faults);
  std::uint64_t first = arguments.scenario.seed;
  std::uint64_t last = first;
  const std::size_t dots = arguments.seeds.find("..");
  if (!arguments.seeds.empty() && dots != std::string::npos) {
    first = std::strtoull(arguments.seeds.c_str(), nullptr, 10);
    last = std::strtoull(arguments.seeds.c_str() + dots + 2, nullptr, 10);
  }
  if (!faults || (!arguments.seeds.empty() && dots == std::string::npos) ||
      arguments.scenario.certificates == 0) {
    std::cerr << "nolapse-sim: unknown fault class, bad range of seeds, or no certificate\n";
    return 2;
  }
  arguments.scenario.faults = *faults;
  bool good = true;
  for (std::uint64_t seed = first; seed <= last; ++seed) good = run(arguments, seed) && good;
  return good ? 0 : 1;
}
