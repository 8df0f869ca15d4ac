// One run of somebody else's program that changes the DNS: what it is given and what its ending
// means. No shell, a complete environment, a deadline, and another user where that is configured.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/solvers/dns_provider.h"

namespace nolapse {

struct ProviderProgram {
  std::string what;  // what messages call it
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides PATH and what is configured
  // Texts that an error never quotes, whatever the program says.
  std::vector<std::string> secrets = {};
};

// Gives what it wrote to stdout. Errors: transient DNS_PROVIDER_FAILED with its last words, and as
// Processes::run.
void run_provider_program(const ChallengeConfig& challenge, World world, ProviderProgram program,
                          Completion<std::string> done);

// For the programs whose output means nothing.
inline Completion<std::string> without_output(Completion<void> done) {
  return [done = std::move(done)](Result<std::string> output) {
    done(output ? Result<void>() : Result<void>(fail(output.error())));
  };
}

}  // namespace nolapse
