// nginx's files as a tree of directives.
#pragma once

#include "agent/core/server_configuration/reading.h"

namespace nolapse {

// Of the main file with all that it includes.
std::vector<Directive> read_nginx_directives(ConfigurationReading& reading,
                                             const std::string& main_file);

}  // namespace nolapse
