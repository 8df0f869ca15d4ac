// nolapse-sim: the real core in a fake world, for years, with whatever goes wrong. The same
// arguments give the same trace. A violation prints the command that replays it.
#include <unistd.h>

#include <cstdio>
#include <ctime>

#include "tests/simulation/arguments.h"
#include "tests/simulation/shrink.h"

namespace {

using namespace nolapse;

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

SimulationOptions options_of(const SimulationArguments& arguments) {
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
bool run(const SimulationArguments& arguments, std::uint64_t seed) {
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
          return simulate(tried);
        });
    std::printf("smallest: %s\n", smallest.command(program).c_str());
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  program = argv[0];
  const auto arguments = parse_simulation_arguments({argv + 1, argv + argc});
  if (!arguments) {
    std::fprintf(stderr, "nolapse-sim: %s\n", arguments.error().message.c_str());
    return 2;
  }
  if (!arguments->help.empty()) {
    std::fputs(arguments->help.c_str(), stdout);
    return 0;
  }
  bool good = true;
  for (std::uint64_t seed = arguments->scenario.seed;; ++seed) {
    good = run(*arguments, seed) && good;
    if (seed == arguments->last_seed) break;
  }
  return good ? 0 : 1;
}
