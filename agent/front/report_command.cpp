// `nolapse report`: made by this process from what the state directory says and the endpoints
// answer, beside a daemon or without one. It takes no lock and changes nothing.
#include <iostream>

#include "agent/core/renewal_doubts.h"
#include "agent/core/report_collection.h"
#include "agent/front/commands.h"
#include "agent/front/exit_status.h"
#include "agent/front/report_output.h"

namespace nolapse {
namespace {

constexpr Duration usual_period = std::chrono::hours(24 * 30);
constexpr unsigned page_mode = 0644;

// Nothing: it is no moment.
std::optional<Time> parse_since(const std::string& text, Time now) {
  if (text.empty()) return now - usual_period;
  if (const auto time = acme::parse_rfc3339(text)) return time;
  if (const auto midnight = acme::parse_rfc3339(text + "T00:00:00Z")) return midnight;
  if (const auto ago = acme::parse_duration(text); ago && *ago > Duration{0}) return now - *ago;
  return {};
}

// A browser, or whoever mails it, never sees half a page.
Result<void> write_page(RealWorld& real, const std::string& path, std::string page) {
  const World world = real.world();
  const std::string fresh = path + "." + std::to_string(world.random.next()) + ".new";
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  std::optional<Result<void>> written;
  world.files.run({WriteFile{fresh, std::move(page), page_mode, {}}, SyncFile{fresh},
                   Rename{fresh, path}, SyncDirectory{folder}},
                  [&](Result<void> outcome) { written = std::move(outcome); });
  real.run_until([&] { return written.has_value(); });
  if (*written) return {};
  std::optional<Result<void>> removed;
  world.files.run({RemoveTree{fresh}}, [&](Result<void> outcome) { removed = outcome; });
  real.run_until([&] { return removed.has_value(); });
  return *written;
}

Report collect(RealWorld& real, const Config& config, Time since, Time until) {
  ReportRequest request;
  request.since = since;
  request.until = until;
  request.read_part = [&real](const std::string& path, std::uint64_t offset, std::size_t size) {
    return real.read_part(path, offset, size);
  };
  request.configuration_doubts = configuration_doubts(real.world().files, config);
  std::optional<Report> report;
  collect_report(real.world(), config, std::move(request),
                 [&](Report made) { report = std::move(made); });
  real.run_until([&] { return report.has_value(); });
  return std::move(*report);
}

}  // namespace

int run_report(const GlobalOptions& global, const ReportCommand& command, const Config& config) {
  if (global.json && command.html == "-") {
    return refuse(global, usage_error("TWO_DOCUMENTS",
                                      "--json and --html - both want stdout; name a file for the "
                                      "page"));
  }
  RealWorld real(world_options(config));
  const Time now = real.world().clock.now();
  const auto since = parse_since(command.since, now);
  if (!since || *since >= now) {
    return refuse(global, usage_error("BAD_DATE", "--since \"" + command.since +
                                                      "\" is no moment in the past; write a day "
                                                      "such as 2026-11-01, a time such as "
                                                      "2026-11-01T09:00:00Z, or 30d"));
  }
  const Report report = collect(real, config, *since, now);
  if (command.html == "-") {
    std::cout << report_page(report, PageKind::file);
    return exit_status_of(report);
  }
  if (!command.html.empty()) {
    const auto written =
        write_page(real, absolute_path(command.html), report_page(report, PageKind::file));
    if (!written) return refuse(global, written.error());
  }
  std::cout << (global.json ? report_document(report) : report_text(report));
  return exit_status_of(report);
}

}  // namespace nolapse
