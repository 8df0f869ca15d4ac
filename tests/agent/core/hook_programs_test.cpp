// Several programs of one hook: each is run, and each that failed is named.
#include "agent/core/hook_programs.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;
using Ending = ProcessResult::Ending;

namespace {

std::vector<ProcessSpec> programs(std::size_t count) {
  std::vector<ProcessSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    ProcessSpec& spec = specs.emplace_back();
    spec.argv = {"/hooks/d/" + std::to_string(10 + i)};
    spec.deadline = 30s;
  }
  return specs;
}

Result<ProcessResult> exited(int code, const std::string& errors = {}) {
  return ProcessResult{Ending::exited, code, "out\n", errors};
}

}  // namespace

TEST_CASE("each program of a folder is started, whatever became of those before") {
  FakeWorld world{1};
  for (const auto& [path, code] :
       {std::pair{"/hooks/d/10", 1}, {"/hooks/d/11", 0}, {"/hooks/d/12", 3}}) {
    world.processes.add(path, {[code = code](const ProcessSpec&) {
                          return ProcessResult{Ending::exited, code, {}, {}};
                        }});
  }
  std::optional<Result<ProcessResult>> ended;
  run_programs(world.processes, programs(3), nullptr,
               [&](Result<ProcessResult> result) { ended = std::move(result); });
  world.clock.run_for(1min);
  REQUIRE(ended);
  CHECK(world.processes.started() ==
        std::vector<std::string>{"/hooks/d/10", "/hooks/d/11", "/hooks/d/12"});
  CHECK((*ended)->code == 1);
  CHECK((*ended)->errors ==
        "2 of 3 programs failed: 10 failed with status 1; it said nothing, 12 failed with status "
        "3; it said nothing");
}

TEST_CASE("a run of one program is what that came to, word by word") {
  CHECK(result_of(programs(1), {exited(75, "later")})->code == 75);
  CHECK(result_of(programs(1), {exited(75, "later")})->errors == "later");
  CHECK(
      result_of(programs(1), {fail(ErrorKind::local, "PROCESS_NOT_STARTED", "no")}).error().code ==
      "PROCESS_NOT_STARTED");
}

TEST_CASE("of several that are all well it is what the last came to") {
  const auto result = result_of(programs(2), {exited(0), exited(0)});
  CHECK(result->code == 0);
  CHECK(result->output == "out\n");
}

TEST_CASE("each way to fail is told, and one that could not be started keeps nobody from running") {
  const auto result = result_of(
      programs(4), {fail(ErrorKind::local, "PROCESS_NOT_STARTED", "no such interpreter"), exited(0),
                    ProcessResult{Ending::timed_out, 0, {}, {}}, exited(7, "away")});
  REQUIRE(result);
  CHECK(result->code == 1);
  CHECK(
      result->errors ==
      "3 of 4 programs failed: 10 was not started: no such interpreter, 12 did not end within 30s "
      "and was killed; it said nothing, 13 failed with status 7: away");
}

TEST_CASE("failures find room in what is kept of a hook's words, the first ones with their names") {
  const std::string flood(1000, 'x');
  const auto two = result_of(programs(2), {exited(1, flood), exited(2, flood)});
  CHECK(two->errors.size() <= 600);
  CHECK(two->errors.find("10 failed with status 1: xxx") != std::string::npos);
  CHECK(two->errors.find("11 failed with status 2: xxx") != std::string::npos);
  const auto many = result_of(programs(40), std::vector(40, exited(1, flood)));
  CHECK(many->errors.size() <= 600);
  CHECK(many->errors.starts_with("40 of 40 programs failed: 10 failed"));
  CHECK(many->errors.ends_with(" more"));
}

TEST_CASE("programs that share a time leave a part of it to those behind") {
  struct Row {
    Duration spent;
    std::size_t programs, behind;
    Duration share;
  };
  for (const Row& row : {Row{0s, 1, 0, 60s},
                         {0s, 2, 1, 45s},
                         {45s, 2, 0, 15s},
                         {0s, 3, 2, 40s},
                         {40s, 3, 1, 10s},
                         {50s, 3, 0, 10s},
                         {1s, 3, 2, 39s},
                         {70s, 2, 0, 1s}}) {
    CAPTURE(row.programs);
    CHECK(share_of(60s, row.spent, row.programs, row.behind) == row.share);
  }
}
