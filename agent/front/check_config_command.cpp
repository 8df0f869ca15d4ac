#include <iostream>

#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {

// The configuration was found sound before any command runs. One that gives none of them anything
// to do was forgotten, or is another file than was meant.
int run_check_config(const GlobalOptions& global, const Config& config) {
  if (config.certificates.empty() && config.watches.empty()) {
    const ConfigProblem problem{config.files.front(), 0, "", "names no certificate",
                                "add a [[certificate]] section"};
    if (global.json) {
      std::cout << problems_document({problem});
    } else {
      std::cerr << problem.text() << '\n';
    }
    return exit_status::usage;
  }
  if (global.json) {
    std::cout << problems_document({});
    return exit_status::ok;
  }
  std::cout << global.config_path << ": ok, " << config.certificates.size() << " certificate(s), "
            << config.cas.size() << " CA(s), " << config.targets.size() << " target(s)\n";
  return exit_status::ok;
}

}  // namespace nolapse
