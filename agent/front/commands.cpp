#include "agent/front/commands.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "acme/json_read.h"
#include "agent/core/status_collection.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_output.h"

namespace nolapse {

std::string absolute_path(const std::string& path) {
  std::error_code no_working_directory;
  const auto full = std::filesystem::absolute(path, no_working_directory);
  return path.empty() || no_working_directory ? path : full.lexically_normal().string();
}

ConfigResult read_configuration(const Files& files, const GlobalOptions& global, ConfigUse use) {
  return load_config(files, absolute_path(global.config_path),
                     absolute_path(global.state_directory), use);
}

RealWorld::Options world_options(const Config& config) {
  // They are the process's, whatever worlds it makes one after the other.
  static const PassedSockets passed = sockets_passed_to_this_process();
  RealWorld::Options options{
      config.state_directory, config.resolver, {}, passed, config.hook_socket};
  for (const auto& [name, challenge] : config.challenges) {
    if (!challenge.webroot.empty()) options.webroots.push_back(challenge.webroot);
  }
  return options;
}

Error usage_error(std::string code, std::string message) {
  return {ErrorKind::input, std::move(code), std::move(message), {}, {}};
}

namespace {

bool is_watched(const std::string& name, const Config& config) {
  return std::any_of(config.watches.begin(), config.watches.end(),
                     [&](const WatchSpec& watch) { return watch.name == name; });
}

}  // namespace

std::optional<Error> unknown_name(const std::vector<std::string>& names, const Config& config) {
  if (config.certificates.empty() && config.watches.empty()) {
    return usage_error(
        "NO_CERTIFICATES",
        config.files.front() + " names no certificate; add a [[certificate]] section");
  }
  for (const std::string& name : names) {
    if (config.find_certificate(name) != nullptr || is_watched(name, config)) continue;
    std::string message = "no certificate is named \"" + name + "\"; the configuration has:";
    for (const CertificateSpec& spec : config.certificates) message += " " + spec.name;
    for (const WatchSpec& watch : config.watches) message += " " + watch.name;
    return usage_error("UNKNOWN_CERTIFICATE", std::move(message));
  }
  return {};
}

std::optional<Error> unknown_to_status(const std::vector<std::string>& names, const Config& config,
                                       const Files& files) {
  const Store store(config.state_directory, files);
  const std::vector<std::string> there = store.names();
  std::vector<std::string> others;
  std::copy_if(names.begin(), names.end(), std::back_inserter(others),
               [&](const std::string& name) {
                 return std::find(there.begin(), there.end(), name) == there.end() ||
                        orphan_spec(store, name) == nullptr;
               });
  return unknown_name(others, config);
}

std::optional<Error> not_to_renew(const std::vector<std::string>& names, const Config& config) {
  if (auto error = unknown_name(names, config)) return error;
  for (const std::string& name : names) {
    if (!is_watched(name, config)) continue;
    return usage_error("ONLY_WATCHED", "\"" + name +
                                           "\" is a [[watch]]: somebody else renews it; to let "
                                           "nolapse do so, make it a [[certificate]]");
  }
  if (config.certificates.empty()) {
    return usage_error("NO_CERTIFICATES",
                       config.files.front() +
                           " has [[watch]] sections only, whose certificates "
                           "somebody else renews; add a [[certificate]] section");
  }
  return {};
}

std::optional<Error> unknown_ca(const std::string& name, const Config& config) {
  if (name.empty() || config.find_ca(name) != nullptr) return {};
  std::string message = "no CA is named \"" + name + "\"; the configuration has:";
  for (const CaConfig& ca : config.cas) message += " " + ca.name;
  return usage_error("UNKNOWN_CA", std::move(message));
}

std::optional<Error> unknown_target(const std::string& target,
                                    const std::vector<std::string>& certificates,
                                    const Config& config) {
  if (target.empty()) return {};
  for (const std::string& name : certificates) {
    const CertificateSpec* const spec = config.find_certificate(name);
    const bool known =
        spec != nullptr &&
        std::any_of(spec->deploy.begin(), spec->deploy.end(), [&](const std::string& each) {
          const auto found = config.targets.find(each);
          return each == target ||
                 (found != config.targets.end() && found->second.section == target);
        });
    if (known) continue;
    std::string message = name + " does not go to a target named \"" + target + "\"; it has:";
    for (const std::string& each : spec->deploy) message += " " + each;
    return usage_error("UNKNOWN_TARGET", std::move(message));
  }
  return {};
}

int exit_status_of(const Error& error) {
  if (error.kind == ErrorKind::input) return exit_status::usage;
  return error.kind == ErrorKind::held ? exit_status::undecided : exit_status::failed;
}

int refuse(const GlobalOptions& global, const Error& error) {
  if (global.json) std::cout << error_document(error);
  std::cerr << "nolapse: " << acme::printable(error.message) << '\n';
  return exit_status_of(error);
}

}  // namespace nolapse
