// Each certificate is written by itself: ten thousand of them as one JSON value would take a
// hundred megabytes.
#include "agent/front/status_pages.h"

#include "acme/json_read.h"
#include "agent/core/expiry.h"
#include "agent/front/json_output.h"

namespace nolapse {
namespace {

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string row(const std::vector<std::string>& cells) {
  std::string text = "<tr>";
  for (const std::string& cell : cells) text += "<td>" + escaped(cell) + "</td>";
  return text + "</tr>\n";
}

}  // namespace

std::string certificates_document(const std::vector<KnownStatusPointer>& certificates, Time as_of) {
  std::string text =
      "{\"schema\":1,\"as_of\":\"" + acme::format_rfc3339(as_of) + "\",\"certificates\":[";
  const char* before = "\n";
  for (const KnownStatusPointer& known : certificates) {
    text += before;
    text += acme::dump(status_object(known->status));
    before = ",\n";
  }
  return text + "\n]}\n";
}

std::string certificates_page(const std::vector<KnownStatusPointer>& certificates, Time as_of,
                              Time now) {
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>nolapse</title>"
      "</head>\n<body><h1>Certificates</h1>\n<p>As of " +
      acme::format_rfc3339(as_of) + ".</p>\n<table>\n<tr><th>certificate</th><th>serving</th>" +
      "<th>renewal</th><th>expiry</th><th>why</th></tr>\n";
  for (const KnownStatusPointer& known : certificates) {
    const CertificateStatus& status = known->status;
    const auto& generation = status.generation;
    text += row({status.name, name_of(status.serving), name_of(status.renewal),
                 generation ? describe_expiry(generation->leaf(), now) : "none is stored",
                 status.renew_reason});
  }
  return text + "</table></body></html>\n";
}

}  // namespace nolapse
