// nolapse: reads the command line, then the configuration, then runs one command.
#include <filesystem>
#include <iostream>

#include "acme/json_read.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

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
    std::error_code no_working_directory;
    const auto full = std::filesystem::absolute(path, no_working_directory);
    return path.empty() || no_working_directory ? path : full.lexically_normal().string();
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

RealWorld::Options world_options(const Config& config) {
  RealWorld::Options options{config.state_directory, config.resolver, {}};
  for (const auto& [name, challenge] : config.challenges) {
    if (!challenge.webroot.empty()) options.webroots.push_back(challenge.webroot);
  }
  return options;
}

Error usage_error(std::string code, std::string message) {
  return {ErrorKind::input, std::move(code), std::move(message), {}, {}};
}

std::optional<Error> unknown_name(const std::vector<std::string>& names, const Config& config) {
  if (config.certificates.empty()) {
    return usage_error(
        "NO_CERTIFICATES",
        config.files.front() + " names no certificate; add a [[certificate]] section");
  }
  for (const std::string& name : names) {
    if (config.find_certificate(name) != nullptr) continue;
    std::string message = "no certificate is named \"" + name + "\"; the configuration has:";
    for (const CertificateSpec& spec : config.certificates) message += " " + spec.name;
    return usage_error("UNKNOWN_CERTIFICATE", std::move(message));
  }
  return {};
}

int refuse(const GlobalOptions& global, const Error& error) {
  if (global.json) std::cout << error_document(error);
  std::cerr << "nolapse: " << acme::printable(error.message) << '\n';
  if (error.kind == ErrorKind::input) return exit_status::usage;
  return error.kind == ErrorKind::held ? exit_status::undecided : exit_status::failed;
}

}  // namespace nolapse

int main(int argc, char** argv) {
  const auto parsed = nolapse::parse_command_line(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const int status = nolapse::run(std::get<nolapse::CommandLine>(parsed));
  if (std::cout.flush()) return status;
  std::cerr << "nolapse: the output could not be written\n";
  return nolapse::exit_status::failed;
}
