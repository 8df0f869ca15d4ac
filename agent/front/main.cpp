// nolapse: reads the command line, then the configuration, then runs one command.
#include <filesystem>
#include <iostream>

#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"
#include "agent/world/real_world.h"

namespace nolapse {
namespace {

int refuse_config(const GlobalOptions& global, const ConfigResult& loaded) {
  if (global.json) {
    std::cout << problems_document(loaded.problems);
  } else {
    for (const ConfigProblem& problem : loaded.problems) std::cerr << problem.text() << '\n';
  }
  return exit_status::usage;
}

int run(const CommandLine& line) {
  // The files of the world take absolute paths.
  const auto absolute = [](const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
  };
  // Only its files are used here: what the world needs to know stands in the configuration.
  RealWorld reader{{}};
  const ConfigResult loaded = load_config(reader.world().files, absolute(line.global.config_path),
                                          absolute(line.global.state_directory));
  if (!loaded.problems.empty()) return refuse_config(line.global, loaded);
  const Config& config = loaded.config;
  if (const auto* renew = std::get_if<RenewCommand>(&line.command)) {
    return run_renew(line.global, *renew, config);
  }
  if (const auto* status = std::get_if<StatusCommand>(&line.command)) {
    return run_status(line.global, *status, config);
  }
  return run_check_config(line.global, config);
}

}  // namespace

bool names_are_known(const std::vector<std::string>& names, const Config& config) {
  for (const std::string& name : names) {
    if (config.find_certificate(name) != nullptr) continue;
    std::cerr << "nolapse: no certificate is named \"" << name << "\"; the configuration has:";
    for (const CertificateSpec& spec : config.certificates) std::cerr << ' ' << spec.name;
    std::cerr << '\n';
    return false;
  }
  if (config.certificates.empty()) {
    std::cerr << "nolapse: " << config.files.front()
              << " names no certificate; add a [[certificate]] section\n";
    return false;
  }
  return true;
}

int refuse(const GlobalOptions& global, const Error& error) {
  if (global.json) std::cout << error_document(error);
  std::cerr << "nolapse: " << error.message << '\n';
  return error.kind == ErrorKind::held ? exit_status::undecided : exit_status::failed;
}

}  // namespace nolapse

int main(int argc, char** argv) {
  const auto parsed = nolapse::parse_command_line(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  return nolapse::run(std::get<nolapse::CommandLine>(parsed));
}
