#include "agent/front/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "agent/front/progress.h"

namespace nolapse {

EventStream::Reader open_log(int verbosity) {
  auto logger = spdlog::get("nolapse");
  if (!logger) logger = spdlog::stderr_logger_st("nolapse");
  logger->set_pattern("%Y-%m-%dT%H:%M:%SZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(verbosity < 0   ? spdlog::level::warn
                    : verbosity > 0 ? spdlog::level::debug
                                    : spdlog::level::info);
  logger->flush_on(spdlog::level::debug);
  return [logger](const Event& event) {
    const std::string line =
        (event.certificate.empty() ? "" : event.certificate + ": ") + event.message;
    spdlog::level::level_enum level = is_detail(event) ? spdlog::level::debug : spdlog::level::info;
    if (event.severity == Severity::warning) level = spdlog::level::warn;
    if (event.severity == Severity::error) level = spdlog::level::err;
    logger->log(level, line);
  };
}

}  // namespace nolapse
