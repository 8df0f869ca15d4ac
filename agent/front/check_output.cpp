#include "agent/front/check_output.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "acme/json_read.h"
#include "agent/core/checks/not_known.h"
#include "agent/front/exit_status.h"
#include "agent/front/json_values.h"

namespace nolapse {
namespace {

using nlohmann::json;

struct Counts {
  std::size_t errors = 0;
  std::size_t warnings = 0;
  std::size_t unknown = 0;
  std::size_t fine = 0;
  std::size_t partial = 0;  // of those that are fine, and so
  std::size_t waiting = 0;
};

Counts count(const Findings& findings) {
  Counts counts;
  for (const Finding& finding : findings.all) {
    switch (finding.severity) {
      case FindingSeverity::error:
        ++counts.errors;
        break;
      case FindingSeverity::warning:
        ++counts.warnings;
        break;
      case FindingSeverity::unknown:
        ++counts.unknown;
        break;
      case FindingSeverity::ok:
        ++counts.fine;
        if (is_wished_wait(finding)) {
          ++counts.waiting;
        } else if (finding.is_partial()) {
          ++counts.partial;
        }
    }
  }
  return counts;
}

std::string some(std::size_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

std::string remarks(const Counts& counts) {
  std::string text;
  if (counts.partial > 0) text += ", " + std::to_string(counts.partial) + " of them partial";
  if (counts.waiting > 0) text += ", " + std::to_string(counts.waiting) + " of them waiting";
  return text;
}

void print(std::ostream& out, const Finding& finding) {
  const char* const label = finding.severity == FindingSeverity::error     ? "ERROR  "
                            : finding.severity == FindingSeverity::warning ? "WARNING"
                                                                           : "UNKNOWN";
  out << label << ' ' << finding.code << "  " << acme::printable(finding.summary, 400) << '\n';
  if (!finding.evidence.empty()) out << "  seen: " << acme::printable(finding.evidence) << '\n';
  if (!finding.fix.empty()) out << "  do:   " << acme::printable(finding.fix) << '\n';
  if (finding.since) out << "  since " << acme::format_rfc3339(*finding.since) << '\n';
}

// Whoever may not look at one thing may look at few: a line for all of that.
bool wants_another_user(const Finding& finding) {
  return finding.severity == FindingSeverity::unknown && finding.fix == look_as_owner;
}

void print_not_looked_at(std::ostream& out, const std::vector<const Finding*>& findings) {
  out << "UNKNOWN " << some(findings.size(), "check") << " may not look, such as "
      << findings.front()->code << "; -v names each\n"
      << "  seen: " << acme::printable(findings.front()->evidence) << '\n'
      << "  do:   " << look_as_owner << '\n';
}

// Fine, and worth a line.
void print_remark(std::ostream& out, const Finding& finding) {
  const bool waits = is_wished_wait(finding);
  out << (waits ? "WAITS   " : "PARTIAL ") << finding.code << "  "
      << acme::printable(finding.summary, 400) << '\n';
  if (finding.evidence.empty()) return;
  out << (waits ? "  seen: " : "  not shown: ") << acme::printable(finding.evidence) << '\n';
}

void print_fine(std::ostream& out, const Finding& finding) {
  out << "ok      " << finding.code;
  if (!finding.certificate.empty()) out << "  " << finding.certificate;
  if (!finding.subject.empty()) out << "  " << finding.subject;
  out << '\n';
}

int write_text(std::ostream& out, const CheckStyle& style, const Findings& findings,
               std::size_t certificates) {
  const Counts counts = count(findings);
  std::vector<const Finding*> folded;
  for (const Finding& finding : findings.all) {
    if (style.verbosity == 0 && wants_another_user(finding)) folded.push_back(&finding);
  }
  const bool fold = folded.size() > 1;
  bool told = false;
  for (const Finding& finding : findings.all) {
    if (fold && wants_another_user(finding)) {
      if (!std::exchange(told, true)) print_not_looked_at(out, folded);
    } else if (finding.severity != FindingSeverity::ok) {
      print(out, finding);
    } else if (finding.is_partial()) {
      print_remark(out, finding);
    } else if (style.verbosity > 0) {
      print_fine(out, finding);
    }
  }
  const bool bad = counts.errors + counts.warnings + counts.unknown > 0;
  out << (bad ? "found: " + some(counts.errors, "error") + ", " + some(counts.warnings, "warning") +
                    ", " + std::to_string(counts.unknown) + " unknown; fine: "
              : std::string("fine: "))
      << some(counts.fine, "check") << " of " << some(certificates, "certificate")
      << remarks(counts)
      << (findings.deep ? "" : " (--deep also asks the CAs, proves control and tries the hooks)")
      << '\n';
  if (bad) out << "`nolapse check --explain CODE` says more about each\n";
  if (counts.errors > 0) return exit_status::failed;
  return counts.unknown > 0 ? exit_status::undecided : exit_status::ok;
}

// The bar begins the performance data, so that it cannot be in the text.
std::string nagios_text(const std::string& text) {
  std::string line = acme::printable(text, 200);
  std::replace(line.begin(), line.end(), '|', '/');
  return line;
}

int write_nagios(std::ostream& out, const Findings& findings, std::size_t certificates) {
  struct Level {
    int status;
    const char* name;
  };
  const Counts counts = count(findings);
  const Level level = counts.errors > 0     ? Level{2, "CRITICAL"}
                      : counts.warnings > 0 ? Level{1, "WARNING"}
                      : counts.unknown > 0  ? Level{3, "UNKNOWN"}
                                            : Level{0, "OK"};
  out << "NOLAPSE " << level.name << " - ";
  if (level.status == 0) {
    out << some(certificates, "certificate") << ", " << some(counts.fine, "check") << " fine"
        << remarks(counts);
  } else {
    const Finding& worst = findings.all.front();
    out << worst.code << ' ' << nagios_text(worst.summary);
    const std::size_t others = counts.errors + counts.warnings + counts.unknown - 1;
    if (others > 0) out << " (and " << others << " more)";
  }
  out << " | errors=" << counts.errors << ";;1 warnings=" << counts.warnings
      << ";1 unknown=" << counts.unknown << " fine=" << counts.fine
      << " certificates=" << certificates << '\n';
  return level.status;
}

}  // namespace

bool is_wished_wait(const Finding& finding) {
  return finding.code == "GENERATION_WITHHELD" && finding.is_partial();
}

std::string nagios_refusal(const std::string& why) {
  return "NOLAPSE UNKNOWN - " + nagios_text(why) + "\n";
}

int write_findings(std::ostream& out, const CheckStyle& style, const Findings& findings,
                   std::size_t certificates) {
  if (style.nagios) return write_nagios(out, findings, certificates);
  if (!style.json) return write_text(out, style, findings, certificates);
  const Counts counts = count(findings);
  json list = json::array();
  for (const Finding& finding : findings.all) list.push_back(finding_values(finding));
  out << acme::dump(json{{"schema", 1},
                         {"ok", counts.errors + counts.unknown == 0},
                         {"at", acme::format_rfc3339(findings.at)},
                         {"deep", findings.deep},
                         {"findings", std::move(list)}},
                    2)
      << '\n';
  if (counts.errors > 0) return exit_status::failed;
  return counts.unknown > 0 ? exit_status::undecided : exit_status::ok;
}

void write_code_list(std::ostream& out, bool json_wanted) {
  if (json_wanted) {
    json list = json::array();
    for (const CodePage& page : code_pages()) {
      list.push_back({{"code", page.code}, {"meaning", page.meaning}});
    }
    out << acme::dump(json{{"schema", 1}, {"codes", std::move(list)}}, 2) << '\n';
    return;
  }
  std::size_t width = 0;
  for (const CodePage& page : code_pages()) width = std::max(width, std::string(page.code).size());
  for (const CodePage& page : code_pages()) {
    std::string code = page.code;
    code.resize(width, ' ');
    out << code << "  " << page.meaning << '\n';
  }
}

void write_code_page(std::ostream& out, bool json_wanted, const CodePage& page) {
  if (json_wanted) {
    out << acme::dump(json{{"schema", 1},
                           {"code", page.code},
                           {"meaning", page.meaning},
                           {"cause", page.cause},
                           {"confirm", page.confirm},
                           {"fix", page.fix}},
                      2)
        << '\n';
    return;
  }
  out << page.code << ": " << page.meaning << "\n\nCause\n  " << page.cause
      << "\n\nHow to see it by hand\n  " << page.confirm << "\n\nWhat to do\n  " << page.fix
      << '\n';
}

}  // namespace nolapse
