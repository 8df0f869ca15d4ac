#include "agent/front/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "agent/front/progress.h"
#include "agent/world/terminal.h"

namespace nolapse {
namespace {

using spdlog::level::level_enum;

level_enum level_of(const Event& event) {
  if (event.severity == Severity::warning) return spdlog::level::warn;
  if (event.severity == Severity::error) return spdlog::level::err;
  return is_detail(event) ? spdlog::level::debug : spdlog::level::info;
}

// What the journal takes for the priority of a line. [sd-daemon(3)]
const char* journal_prefix(level_enum level) {
  if (level == spdlog::level::err) return "<3>";
  if (level == spdlog::level::warn) return "<4>";
  return level == spdlog::level::info ? "<6>" : "<7>";
}

}  // namespace

EventStream::Reader open_log(int verbosity) {
  const bool journal = terminal::is_journal();
  auto logger = spdlog::get("nolapse");
  if (!logger) logger = spdlog::stderr_logger_st("nolapse");
  logger->set_pattern(journal ? "%v" : "%Y-%m-%dT%H:%M:%SZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(verbosity < 0   ? spdlog::level::warn
                    : verbosity > 0 ? spdlog::level::debug
                                    : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return [logger, journal](const Event& event) {
    const level_enum level = level_of(event);
    std::string line = journal ? journal_prefix(level) : "";
    if (!event.certificate.empty()) line += event.certificate + ": ";
    logger->log(level, line + event.message);
  };
}

}  // namespace nolapse
