// `nolapse scan`: which certificates this host uses or serves, and which of them nobody renews. It
// needs no configuration of nolapse's, and changes nothing.
#include <algorithm>
#include <iostream>
#include <sstream>

#include "acme/json_read.h"
#include "agent/core/config_endpoint.h"
#include "agent/core/config_files.h"
#include "agent/core/endpoint_survey.h"
#include "agent/core/running_servers.h"
#include "agent/core/verification.h"
#include "agent/front/commands.h"
#include "agent/front/scan_output.h"
#include "agent/world/signals.h"
#include "agent/world/terminal.h"

namespace nolapse {
namespace {

struct Targets {
  std::vector<std::string> paths;
  std::vector<Endpoint> endpoints;
  bool told = true;  // false: those of this host, found by itself
};

// As [[watch]] takes it; an address may stand alone, and is asked for no name.
Result<Endpoint> endpoint_of(const std::string& text) {
  auto endpoint = parse_endpoint(text, {});
  if (endpoint) return std::move(*endpoint);
  const std::string place = text.substr(0, text.find('!'));
  const auto host = parse_host_port(place);
  if (host && host->is_address) {
    auto asked = parse_endpoint(place + "#name.invalid" + text.substr(place.size()), {});
    if (asked) {
      asked->text = text;
      asked->server_name.clear();
      return std::move(*asked);
    }
  }
  return fail(ErrorKind::input, "USAGE", endpoint.error().reason + "; " + endpoint.error().fix);
}

Result<void> read_list(std::istream& lines, const std::string& name, Targets& targets) {
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    const auto endpoint =
        endpoint_of(line.substr(first, line.find_last_not_of(" \t\r") + 1 - first));
    if (!endpoint) {
      return fail(ErrorKind::input, "USAGE",
                  name + ":" + std::to_string(number) + ": " + endpoint.error().message);
    }
    targets.endpoints.push_back(*endpoint);
  }
  return {};
}

Result<Targets> targets_of(const Files& files, const ScanCommand& command) {
  Targets targets;
  for (const std::string& text : command.targets) {
    const std::string path = absolute_path(text);
    if (text.find('/') != std::string::npos || files.status(path)) {
      targets.paths.push_back(path);
      continue;
    }
    const auto endpoint = endpoint_of(text);
    if (!endpoint) {
      return fail(ErrorKind::input, "USAGE",
                  "\"" + text + "\" is no file here, and no endpoint: " + endpoint.error().message);
    }
    targets.endpoints.push_back(*endpoint);
  }
  Result<void> read;
  if (command.endpoints_file == "-") {
    read = read_list(std::cin, "stdin", targets);
  } else if (!command.endpoints_file.empty()) {
    const auto content = files.read(absolute_path(command.endpoints_file));
    if (!content) return fail(ErrorKind::input, "USAGE", content.error().message);
    std::istringstream lines(*content);
    read = read_list(lines, command.endpoints_file, targets);
  }
  if (!read) return fail(read.error());
  return targets;
}

void add_path(const Files& files, const std::string& path, Inventory& inventory) {
  const auto content = files.read(path);
  const bool holds_certificate = content && content->find("-----BEGIN ") != std::string::npos;
  const std::string server =
      content && !holds_certificate ? server_of_configuration(path, *content) : "";
  if (server.empty()) return inventory.add_path(path);
  inventory.add_server_configuration(read_server_configuration(files, {{{server, path}}}));
}

// All that this host configures and serves.
void add_own(const Files& files, Inventory& inventory, Targets& targets) {
  inventory.add_server_configuration(read_configuration_of_this_host(files));
  targets.endpoints = local_listeners(files.read("/proc/net/tcp").value_or(""),
                                      files.read("/proc/net/tcp6").value_or(""), {});
  targets.told = false;
}

class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total) {}
  ~Progress() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void note() {
    ++seen_;
    if (!terminal::is_terminal() || total_ < 20 || seen_ % 10 != 0) return;
    std::cerr << "\rlooked at " << seen_ << " addresses of " << total_ << " endpoints\033[K"
              << std::flush;
    shown_ = true;
  }

 private:
  const std::size_t total_;
  std::size_t seen_ = 0;
  bool shown_ = false;
};

// False where a signal ended it.
bool survey(RealWorld& real, const Targets& targets, Inventory& inventory, int& interrupted) {
  const SignalWatch signals(real.loop(), [&](int number) {
    interrupted = number;
    real.stop();
  });
  Progress progress(targets.endpoints.size());
  bool done = false;
  survey_endpoints(
      real.world(), targets.endpoints, {},
      [&](std::size_t index, const std::string& address, const ProbeReply& reply) {
        inventory.add_reply(targets.endpoints[index], address, reply, targets.told);
        progress.note();
      },
      [&] { done = true; });
  real.run_until([&] { return done; });
  return done;
}

// Without one, or with one that is broken, the certificates are there all the same.
Config usable_config(const ConfigResult& loaded, const GlobalOptions& global, bool exists) {
  if (loaded.problems.empty()) return loaded.config;
  if (exists) {
    std::cerr << "nolapse: going on without the configuration: " << loaded.problems.front().text()
              << '\n';
  }
  Config config;
  if (!global.state_directory.empty()) {
    config.state_directory = absolute_path(global.state_directory);
  }
  return config;
}

}  // namespace

int run_scan(const GlobalOptions& global, const ScanCommand& command, const ConfigResult& loaded) {
  RealWorld reader{{}};
  const Files& plain_files = reader.world().files;
  const bool exists = bool(plain_files.status(absolute_path(global.config_path)));
  const Config config = usable_config(loaded, global, exists);
  auto targets = targets_of(plain_files, command);
  if (!targets) return refuse(global, targets.error());
  RealWorld real(world_options(config));
  const World world = real.world();
  Inventory inventory(world.files, config, world.clock.now());
  if (command.targets.empty() && command.endpoints_file.empty()) {
    add_own(world.files, inventory, *targets);
  }
  for (const std::string& path : targets->paths) add_path(world.files, path, inventory);
  int interrupted = 0;
  if (!targets->endpoints.empty() && !survey(real, *targets, inventory, interrupted)) {
    return end_interrupted(global, interrupted, "nothing was changed");
  }
  const Time now = world.clock.now();
  if (command.watch) {
    write_watch_sections(std::cout, inventory, config, now);
    for (const std::string& problem : inventory.problems()) {
      std::cerr << "nolapse: not looked at: " << acme::printable(problem) << '\n';
    }
    return inventory.problems().empty() ? 0 : 3;
  }
  return write_inventory(std::cout, {global.json, global.verbosity}, inventory, config.alerts, now);
}

}  // namespace nolapse
