// Which configuration the servers that run on this host were started with, from /proc: one that
// was given another file than the usual place says so on its command line, and nowhere else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/core/server_configuration.h"

namespace nolapse {

// A server and the main file of its configuration, as ServerConfigurationPlaces has them.
using MainFile = std::pair<std::string, std::string>;

// Each once. Nothing of a server that was started without naming a file: it reads the usual one.
std::vector<MainFile> main_files_of_running_servers(const Files& files);

// Of one process: the arguments as /proc/<pid>/cmdline has them, and its working directory, from
// where relative paths are taken; where that is not known, they are left out.
std::vector<MainFile> main_files_in_command(const std::string& command,
                                            const std::string& directory);

// What the usual places say, and besides that what those say that servers were started with.
ServerConfiguration read_configuration_of_this_host(const Files& files);

}  // namespace nolapse
