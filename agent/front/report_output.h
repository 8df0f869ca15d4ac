// The report as people and programs read it: text, the document of --json, and one page that needs
// nothing else. The same page is the report's file, what is attached to mail, and the status page.
#pragma once

#include <string>

#include "agent/core/report.h"
#include "agent/core/report_schedule.h"

namespace nolapse {

int exit_status_of(const Report& report);

std::string report_text(const Report& report);
// The first lines of it: the verdict, and what needs attention.
std::string report_summary(const Report& report);

// "renewals 3, failed attempts 0, …".
std::string counts_of(const Tally& tally);

// {"schema":1,"verdict","ok",…}; what a later report takes the history of this period from.
std::string report_document(const Report& report, int indent = 2);

enum class PageKind {
  file,  // stands alone
  live,  // the status page: says how old it is, loads itself again, links to what is beside it
};
// HTML in UTF-8 without scripts and without anything from elsewhere, fit for the policy
// "default-src 'none'; style-src 'unsafe-inline'; img-src data:".
std::string report_page(const Report& report, PageKind kind);

// All of it, as the daemon keeps and sends it.
RenderedReport render_report(const Report& report);

// The picture in the page: for each of the most urgent certificates the lifetimes of its
// generations, its renewals and failures, thresholds, and now.
inline constexpr std::size_t certificates_in_timeline = 200;
std::string report_timeline(const Report& report);

}  // namespace nolapse
