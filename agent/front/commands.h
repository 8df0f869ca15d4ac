// The commands. Each takes a sound configuration and returns the exit status.
#pragma once

#include "agent/front/cli.h"

namespace nolapse {

int run_renew(const GlobalOptions& global, const RenewCommand& command, const Config& config);
int run_status(const GlobalOptions& global, const StatusCommand& command, const Config& config);
int run_check_config(const GlobalOptions& global, const Config& config);

// Says on stderr that a name is unknown and which there are. True: all of them are known.
bool names_are_known(const std::vector<std::string>& names, const Config& config);

// For a command that could not begin: one line on stderr, or the document for --json.
int refuse(const GlobalOptions& global, const Error& error);

}  // namespace nolapse
