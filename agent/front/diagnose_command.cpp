// `nolapse diagnose`: needs no configuration, no daemon and no lock, because whoever hunts an
// outage may be anywhere. What there is helps; what is broken is said in a line, and it goes on.
#include <iostream>

#include "acme/json_read.h"
#include "agent/core/diagnosis_run.h"
#include "agent/core/running_servers.h"
#include "agent/front/commands.h"
#include "agent/front/diagnosis_output.h"
#include "agent/front/exit_status.h"
#include "agent/world/port_holder.h"

namespace nolapse {
namespace {

void say(const std::string& text) {
  std::cerr << "nolapse: " << acme::printable(text) << '\n';
}

Error bad_argument(const EndpointFault& fault) {
  return usage_error("BAD_ARGUMENT", fault.reason + "; " + fault.fix);
}

// A host without nolapse has no file there, and that is no news.
void say_what_is_broken(const GlobalOptions& global, const ConfigResult& loaded,
                        const Files& files) {
  const bool absent = !files.status(absolute_path(global.config_path));
  if (loaded.problems.empty() || (absent && global.config_path == GlobalOptions{}.config_path)) {
    return;
  }
  const std::size_t more = loaded.problems.size() - 1;
  say(loaded.problems.front().text() +
      (more > 0 ? " (and " + std::to_string(more) + " more)" : "") +
      "; going on without the configuration");
}

ServerConfigurationPlaces places_of(const DiagnoseCommand& command, const Files& files) {
  ServerConfigurationPlaces places;
  for (const std::string& path : command.server_configurations) {
    const std::string file = absolute_path(path);
    const std::string server = server_of_configuration(file, files.read(file).value_or(""));
    if (server.empty()) {
      say(file + " is no configuration of a server that is known here; left out");
    } else {
      places.files.emplace_back(server, file);
    }
  }
  return places;
}

KnownHost known_host(const DiagnoseCommand& command, const ConfigResult& loaded,
                     const Files& files) {
  KnownHost host;
  if (loaded.problems.empty()) host.config = &loaded.config;
  if (command.server_configurations.empty()) {
    host.servers = read_configuration_of_this_host(files);
  } else if (const auto places = places_of(command, files); !places.files.empty()) {
    host.servers = read_server_configuration(files, places);
  }
  host.addresses = addresses_of_host(files.read("/proc/net/fib_trie").value_or(""),
                                     files.read("/proc/net/if_inet6").value_or(""));
  host.port_holder = &port_holder;
  return host;
}

// A certificate's name stands for its endpoints.
bool add_endpoints_of(const std::string& name, const KnownHost& host,
                      std::vector<KnownTarget>& targets) {
  if (host.config == nullptr) return false;
  const auto add = [&](const std::vector<Endpoint>& endpoints) {
    for (const Endpoint& each : endpoints) targets.push_back({target_of(each), false});
    return !endpoints.empty();
  };
  const CertificateSpec* const spec = host.config->find_certificate(name);
  if (spec != nullptr && spec->endpoints) return add(*spec->endpoints);
  for (const WatchSpec& watch : host.config->watches) {
    if (watch.name == name) return add(watch.endpoints);
  }
  return false;
}

Result<std::vector<KnownTarget>> targets_of(const DiagnoseCommand& command, const KnownHost& host) {
  std::vector<KnownTarget> targets;
  for (const std::string& text : command.targets) {
    if (add_endpoints_of(text, host, targets)) continue;
    auto target = parse_diagnosis_target(text);
    if (!target) return fail(bad_argument(target.error()));
    targets.push_back({std::move(*target), false});
  }
  return targets;
}

Result<DiagnosisOptions> options_of(const DiagnoseCommand& command, const Files& files) {
  DiagnosisOptions options;
  options.roots_file = absolute_path(command.roots_file);
  if (!options.roots_file.empty()) {
    const auto readable = files.read(options.roots_file);
    if (!readable) return fail(usage_error("BAD_ARGUMENT", "--roots: " + readable.error().message));
  }
  for (const std::string& text : command.resolve) {
    const auto added = add_resolved(options.resolved, text);
    if (!added) return fail(bad_argument(added.error()));
  }
  return options;
}

}  // namespace

int run_diagnose(const GlobalOptions& global, const DiagnoseCommand& command,
                 const ConfigResult& loaded) {
  RealWorld real(loaded.problems.empty() ? world_options(loaded.config) : RealWorld::Options{});
  const World world = real.world();
  const auto options = options_of(command, world.files);
  if (!options) return refuse(global, options.error());
  say_what_is_broken(global, loaded, world.files);
  KnownHost host = known_host(command, loaded, world.files);
  auto targets = targets_of(command, host);
  if (!targets) return refuse(global, targets.error());
  const bool brief = targets->empty();
  if (brief) *targets = known_targets(host, world.files);
  host.history_wanted = !brief;
  const Error nothing_known{ErrorKind::held,
                            "NOTHING_KNOWN",
                            "no endpoint is known here; name one: nolapse diagnose https://HOST/",
                            {},
                            {}};
  if (targets->empty()) return refuse(global, nothing_known);
  RevocationCheck revocation_check(world.clock, world.http);
  std::optional<std::vector<Diagnosis>> diagnoses;
  diagnose_all({world, host, *options, revocation_check}, std::move(*targets),
               [&](std::vector<Diagnosis> all) { diagnoses = std::move(all); });
  real.run_until([&] { return diagnoses.has_value(); });
  if (diagnoses->empty()) return refuse(global, nothing_known);
  return write_diagnoses(std::cout, *diagnoses, global.json, brief);
}

}  // namespace nolapse
