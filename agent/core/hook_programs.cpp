#include "agent/core/hook_programs.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "acme/json_read.h"
#include "agent/core/hook.h"

namespace nolapse {
namespace {

// A hook's last words are cut to 600 octets, at their beginning: with more the names would go.
constexpr std::size_t room = 560;
constexpr std::size_t longest_name = 60;

std::string shortened(const std::string& text, std::size_t limit) {
  return text.size() <= limit ? text : text.substr(0, limit - 3) + "...";
}

std::optional<std::string> failure_of(const ProcessSpec& program,
                                      const Result<ProcessResult>& result) {
  if (result) return failure_of(*result, program.deadline);
  return " was not started: " + acme::printable(result.error().message, room);
}

std::string name_of(const ProcessSpec& program) {
  const std::string& path = program.argv.front();
  return shortened(path.substr(path.rfind('/') + 1), longest_name);
}

// As many as there is room for, each with its part of it.
std::string listed(const std::vector<std::string>& names, const std::vector<std::string>& failures,
                   std::size_t programs) {
  const std::size_t part = std::max<std::size_t>((room - 40) / failures.size(), longest_name + 60);
  std::string text =
      std::to_string(failures.size()) + " of " + std::to_string(programs) + " programs failed: ";
  std::size_t told = 0;
  for (; told < failures.size() && (told == 0 || text.size() + part <= room); ++told) {
    text += (told == 0 ? "" : ", ") + shortened(names[told] + failures[told], part);
  }
  const std::size_t others = failures.size() - told;
  return others == 0 ? text : text + ", and " + std::to_string(others) + " more";
}

struct Run {
  Processes& processes;
  std::vector<ProcessSpec> programs;
  std::function<Duration(std::size_t)> time_for;
  Completion<ProcessResult> done;
  std::vector<Result<ProcessResult>> results;
};

void run_next(const std::shared_ptr<Run>& run) {
  const std::size_t next = run->results.size();
  if (next == run->programs.size()) return run->done(result_of(run->programs, run->results));
  ProcessSpec& program = run->programs[next];
  if (run->time_for) program.deadline = run->time_for(next);
  run->processes.run(program, [run](Result<ProcessResult> result) {
    run->results.push_back(std::move(result));
    run_next(run);
  });
}

}  // namespace

Duration share_of(Duration whole, Duration spent, std::size_t programs, std::size_t behind) {
  const Duration kept = whole * static_cast<long>(behind) / (2 * static_cast<long>(programs));
  return std::max<Duration>(whole - spent - kept, std::chrono::seconds(1));
}

Result<ProcessResult> result_of(const std::vector<ProcessSpec>& programs,
                                const std::vector<Result<ProcessResult>>& results) {
  if (results.size() == 1) return results.front();
  std::vector<std::string> names;
  std::vector<std::string> failures;
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto failure = failure_of(programs[i], results[i]);
    if (!failure) continue;
    names.push_back(name_of(programs[i]));
    failures.push_back(std::move(*failure));
  }
  if (failures.empty()) return results.back();
  ProcessResult result;
  result.code = 1;
  result.errors = listed(names, failures, results.size());
  return result;
}

void run_programs(Processes& processes, std::vector<ProcessSpec> programs,
                  std::function<Duration(std::size_t)> time_for, Completion<ProcessResult> done) {
  run_next(std::make_shared<Run>(
      Run{processes, std::move(programs), std::move(time_for), std::move(done), {}}));
}

}  // namespace nolapse
