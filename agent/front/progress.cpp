#include "agent/front/progress.h"

#include <iostream>

#include "agent/front/log.h"
#include "agent/world/terminal.h"

namespace nolapse {

EventStream::Reader open_progress(const Clock& clock, int verbosity) {
  const auto began = clock.uptime();
  const bool colour = terminal::wants_colour();
  return [&clock, began, verbosity, colour](const Event& event) {
    if (verbosity < 0 && event.severity == Severity::info) return;
    const auto tenths = (clock.uptime() - began).count() / 100;
    std::string line = std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s ";
    while (line.size() < 7) line.insert(0, " ");
    if (!event.certificate.empty()) line += event.certificate + ": ";
    line += event.message;
    if (event.severity == Severity::error && colour) line = "\033[31m" + line + "\033[0m";
    if (event.severity == Severity::warning && colour) line = "\033[33m" + line + "\033[0m";
    // \r and "erase to the end of the line": the next line takes the place of a passing one.
    const bool passing = is_detail(event) && verbosity == 0;
    if (passing) line = line.substr(0, terminal::columns() - 1);
    std::cerr << "\r\033[K" << line << (passing ? "" : "\n") << std::flush;
  };
}

EventStream::Reader open_stderr(const Clock& clock, int verbosity) {
  return terminal::is_terminal() ? open_progress(clock, verbosity) : open_log(verbosity);
}

}  // namespace nolapse
