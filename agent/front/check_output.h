// What `nolapse check` prints: failures first, what is fine in one line; a document; or one line as
// monitoring plugins print it. [Monitoring Plugins Development Guidelines]
#pragma once

#include <iosfwd>
#include <string>

#include "agent/core/check_catalogue.h"
#include "agent/core/finding.h"

namespace nolapse {

struct CheckStyle {
  bool json = false;
  bool nagios = false;
  int verbosity = 0;  // 1: what is fine, line by line
};

// Returns the exit status: of `check`, or of a monitoring plugin.
int write_findings(std::ostream& out, const CheckStyle& style, const Findings& findings,
                   std::size_t certificates);

// Is it a target that waits as the operator wishes it, for its window to open? It is fine, and
// nothing is missing of what was to be shown.
bool is_wished_wait(const Finding& finding);

// The line of a plugin that could not begin; its status is `undecided`.
std::string nagios_refusal(const std::string& why);

void write_code_list(std::ostream& out, bool json);
void write_code_page(std::ostream& out, bool json, const CodePage& page);

}  // namespace nolapse
