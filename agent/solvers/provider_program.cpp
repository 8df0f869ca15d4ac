#include "agent/solvers/provider_program.h"

#include "agent/core/hook.h"

namespace nolapse {
namespace {

// Scripts wait until the service's own name servers have the record.
constexpr Duration default_deadline = std::chrono::minutes(2);

Duration deadline_of(const ChallengeConfig& challenge) {
  const std::string seconds = setting_of(challenge, "timeout");
  return seconds.empty() ? default_deadline : Duration(std::chrono::seconds(std::stoi(seconds)));
}

}  // namespace

void run_provider_program(const ChallengeConfig& challenge, World world, ProviderProgram program,
                          Completion<std::string> done) {
  ProcessSpec process;
  process.argv = std::move(program.argv);
  process.environment = std::move(program.environment);
  process.environment.insert(challenge.environment.begin(), challenge.environment.end());
  process.environment["PATH"] = program_path;
  process.user = setting_of(challenge, "user");
  process.deadline = deadline_of(challenge);
  world.processes.run(process, [what = std::move(program.what), deadline = process.deadline,
                                secrets = std::move(program.secrets),
                                done = std::move(done)](Result<ProcessResult> result) {
    if (!result) return done(fail(result.error()));
    // Its words are shortened afterwards: half of a secret would stay.
    ProcessResult told = *result;
    told.errors = without_secrets(std::move(told.errors), secrets);
    told.output = without_secrets(std::move(told.output), secrets);
    const auto failure = failure_of(told, deadline);
    if (!failure) return done(std::move(result->output));
    done(fail(ErrorKind::transient, "DNS_PROVIDER_FAILED", what + *failure));
  });
}

}  // namespace nolapse
