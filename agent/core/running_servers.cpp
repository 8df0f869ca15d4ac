#include "agent/core/running_servers.h"

#include <algorithm>
#include <array>
#include <optional>

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

constexpr std::size_t most_processes = 10'000;  // that are looked at; each costs two small reads

struct KnownProgram {
  const char* name;
  const char* server;
  const char* file_option;       // a file behind it
  const char* directory_option;  // from where the file is taken; or null
};
constexpr std::array<KnownProgram, 6> programs = {{{"nginx", "nginx", "-c", "-p"},
                                                   {"apache2", "apache", "-f", "-d"},
                                                   {"httpd", "apache", "-f", "-d"},
                                                   {"haproxy", "haproxy", "-f", nullptr},
                                                   {"caddy", "caddy", "--config", nullptr},
                                                   {"dovecot", "dovecot", "-c", nullptr}}};

const KnownProgram* find_program(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto found = std::find_if(programs.begin(), programs.end(),
                                  [&](const KnownProgram& each) { return name == each.name; });
  return found == programs.end() ? nullptr : &*found;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// nginx writes its title over its arguments: "nginx: master process /usr/sbin/nginx -c …", with
// spaces between them.
std::vector<std::string> arguments_of(const std::string& command) {
  constexpr std::string_view title = "nginx: master process ";
  if (command.starts_with(title)) {
    return split(command.substr(title.size(), command.find('\0') - title.size()), ' ');
  }
  return split(command, '\0');
}

// "-c FILE", "-cFILE" and, of long options, "--config=FILE".
std::vector<std::string> values_of(const std::vector<std::string>& arguments,
                                   const char* option_name) {
  std::vector<std::string> values;
  const std::string option = option_name;
  const bool is_long = option.starts_with("--");
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == option) {
      if (i + 1 < arguments.size()) values.push_back(arguments[++i]);
    } else if (is_long ? argument.starts_with(option + "=") : argument.starts_with(option)) {
      values.push_back(argument.substr(option.size() + (is_long ? 1 : 0)));
    }
  }
  return values;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::vector<MainFile> main_files_in_command(const std::string& command,
                                            const std::string& directory) {
  const std::vector<std::string> arguments = arguments_of(command);
  const KnownProgram* program = arguments.empty() ? nullptr : find_program(arguments.front());
  if (program == nullptr) return {};
  std::string from = directory;
  if (program->directory_option != nullptr) {
    const auto given = values_of(arguments, program->directory_option);
    if (!given.empty()) from = resolve_path(directory, given.back());
  }
  std::vector<MainFile> files;
  for (const std::string& file : values_of(arguments, program->file_option)) {
    const bool absolute = file.starts_with('/');
    if (!absolute && !from.starts_with('/')) continue;
    files.emplace_back(program->server, resolve_path(from, file));
  }
  return files;
}

std::vector<MainFile> main_files_of_running_servers(const Files& files) {
  std::vector<MainFile> found;
  const auto processes = files.list("/proc");
  if (!processes) return found;
  std::size_t looked_at = 0;
  for (const std::string& process : *processes) {
    if (!is_number(process) || ++looked_at > most_processes) continue;
    const std::string folder = "/proc/" + process;
    const auto name = files.read(folder + "/comm");
    if (!name || find_program(name->substr(0, name->find('\n'))) == nullptr) continue;
    const auto command = files.read(folder + "/cmdline");
    if (!command) continue;
    const auto directory = files.read_link(folder + "/cwd");
    for (MainFile& each : main_files_in_command(*command, directory.value_or(""))) {
      if (std::find(found.begin(), found.end(), each) == found.end()) {
        found.push_back(std::move(each));
      }
    }
  }
  return found;
}

ServerConfiguration read_configuration_of_this_host(const Files& files) {
  ServerConfiguration all = read_server_configuration(files);
  ServerConfigurationPlaces others;
  for (MainFile& each : main_files_of_running_servers(files)) {
    const bool is_read =
        std::find(all.files.begin(), all.files.end(), each.second) != all.files.end();
    if (!is_read) others.files.push_back(std::move(each));
  }
  if (others.files.empty()) return all;
  ServerConfiguration more = read_server_configuration(files, others);
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  append(all.certificates, more.certificates);
  append(all.upstreams, more.upstreams);
  append(all.files, more.files);
  append(all.problems, more.problems);
  return all;
}

}  // namespace nolapse
