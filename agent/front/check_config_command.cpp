#include <iostream>

#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {

// The configuration was found sound before any command runs.
int run_check_config(const GlobalOptions& global, const Config& config) {
  if (global.json) {
    std::cout << problems_document({});
    return exit_status::ok;
  }
  std::cout << global.config_path << ": ok, " << config.certificates.size() << " certificate(s), "
            << config.cas.size() << " CA(s), " << config.targets.size() << " target(s)\n";
  return exit_status::ok;
}

}  // namespace nolapse
