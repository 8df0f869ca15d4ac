// The picture of a report, as SVG in the page: a row for each certificate, the most urgent first.
// Colours come from the page's style; what they say is also said by shapes, by titles, and by the
// table below the picture.
#include <algorithm>
#include <array>

#include "agent/front/html.h"
#include "agent/front/report_output.h"

namespace nolapse {
namespace {

using std::chrono::days;

constexpr int width = 1000;
constexpr int plot_left = 190;
constexpr int plot_right = 985;
constexpr int top = 34;  // of the first row; the axis is above
constexpr int row_height = 26;
constexpr int bar_height = 10;
constexpr std::size_t longest_label = 26;

std::string number(double value) {
  const long tenths = static_cast<long>(value * 10 + (value < 0 ? -0.5 : 0.5));
  const long digit = tenths < 0 ? -tenths % 10 : tenths % 10;
  return std::to_string(tenths / 10) + (digit == 0 ? "" : "." + std::to_string(digit));
}

std::string date(Time time) {
  return acme::format_rfc3339(time).substr(0, 10);
}

// The part of time that is shown. What ends far later than nine tenths of the others is cut off.
struct Range {
  Time begin{};
  Time end{};

  double at(Time time) const {
    const double share = static_cast<double>((std::clamp(time, begin, end) - begin).count()) /
                         static_cast<double>((end - begin).count());
    return plot_left + share * (plot_right - plot_left);
  }
  bool has(Time time) const { return time >= begin && time <= end; }
};

Range range_of(const Report& report, std::size_t rows) {
  std::vector<Time> ends;
  for (std::size_t i = 0; i < rows; ++i) {
    const acme::Certificate* const leaf = report.certificates[i].leaf();
    if (leaf != nullptr) ends.push_back(leaf->not_after);
  }
  Time end = report.made_at + days(10);
  if (!ends.empty()) {
    std::sort(ends.begin(), ends.end());
    end = std::max(end, ends[(ends.size() - 1) * 9 / 10] + days(2));
  }
  const Time begin = std::min(report.since, report.made_at - days(2));
  return {begin, std::min(end, report.made_at + days(400))};
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + kind + "\" x1=\"" + number(x1) + "\" y1=\"" + number(y1) +
         "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) + "\"/>";
}

std::string text(const char* kind, double x, double y, const std::string& content) {
  return std::string("<text class=\"") + kind + "\" x=\"" + number(x) + "\" y=\"" + number(y) +
         "\">" + html_escaped(content) + "</text>";
}

// Months, or weeks where few of them are shown.
std::string axis(const Range& range, int bottom) {
  using namespace std::chrono;
  std::string svg;
  const auto tick = [&](Time time, const std::string& label) {
    if (!range.has(time)) return;
    svg += line("grid", range.at(time), 22, range.at(time), bottom);
    if (range.at(time) < plot_right - 40) svg += text("axis", range.at(time) + 3, 16, label);
  };
  if (range.end - range.begin < days(70)) {
    sys_days day = ceil<days>(range.begin);
    while (weekday(day) != Monday) day += days(1);
    for (; day <= range.end; day += days(7)) tick(day, date(day).substr(5));
    return svg;
  }
  const year_month_day first(floor<days>(range.begin));
  const int step = range.end - range.begin > days(430) ? 3 : 1;
  for (year_month month = first.year() / first.month(); sys_days(month / 1) <= range.end;
       month += months(step)) {
    tick(sys_days(month / 1), date(sys_days(month / 1)).substr(0, 7));
  }
  return svg;
}

std::string bars(const ReportedCertificate& certificate, const Range& range, int y) {
  std::string svg;
  const auto& generations = certificate.records.generations;
  for (std::size_t i = 0; i < generations.size(); ++i) {
    const ReportedGeneration& generation = generations[i];
    if (generation.not_after < range.begin || generation.not_before > range.end) continue;
    const bool newest = i + 1 == generations.size();
    const double from = range.at(generation.not_before);
    const double to = range.at(generation.not_after);
    // One behind the other, so that where they overlap both are seen.
    const int shift = newest ? 0 : (generations.size() - i) % 2 == 0 ? 4 : 2;
    svg += std::string("<rect class=\"") + (newest ? "bar" : "bar old") + "\" x=\"" + number(from) +
           "\" y=\"" + std::to_string(y - bar_height / 2 + shift) + "\" width=\"" +
           number(std::max(2.0, to - from)) + "\" height=\"" +
           std::to_string(newest ? bar_height : bar_height - 4) + "\" rx=\"2\"><title>generation " +
           std::to_string(generation.number) + " from " + html_escaped(generation.ca, 60) +
           ", valid " + date(generation.not_before) + " to " + date(generation.not_after) +
           "</title></rect>";
  }
  return svg;
}

std::string thresholds(const ReportedCertificate& certificate, const Range& range, int y) {
  const acme::Certificate* const leaf = certificate.leaf();
  if (leaf == nullptr) return {};
  std::string svg;
  for (const Duration threshold : certificate.thresholds) {
    const Time at = leaf->not_after - threshold;
    if (range.has(at)) svg += line("threshold", range.at(at), y - 8, range.at(at), y + 8);
  }
  const auto& planned = certificate.records.planned_renewal;
  if (planned && range.has(*planned)) {
    const double x = range.at(*planned);
    svg += "<path class=\"planned\" d=\"M" + number(x) + " " + std::to_string(y - 6) +
           "l6 6l-6 6l-6 -6z\"><title>planned renewal " + date(*planned) + "</title></path>";
  }
  return svg;
}

std::string marks(const ReportedCertificate& certificate, const Range& range, int y) {
  std::string svg;
  for (const ReportedGeneration& generation : certificate.records.generations) {
    if (!range.has(generation.issued_at)) continue;
    svg += "<circle class=\"renewed\" cx=\"" + number(range.at(generation.issued_at)) + "\" cy=\"" +
           std::to_string(y) + "\" r=\"4.5\"><title>renewed " + date(generation.issued_at) +
           "</title></circle>";
  }
  for (const ReportMoment& moment : certificate.story) {
    if (moment.kind != MomentKind::failed && moment.kind != MomentKind::rolled_back) continue;
    if (moment.last < range.begin || moment.at > range.end) continue;
    const double from = range.at(moment.at);
    const double to = range.at(moment.last);
    svg += "<g class=\"failed\"><title>" + html_escaped(moment.code, 60) + ", " +
           std::to_string(moment.count) + " times, " + date(moment.at) + " to " +
           date(moment.last) + "</title>";
    if (to - from > 1) svg += line("failing", from, y, to, y);
    for (const double x : {from, to}) {
      svg += "<path d=\"M" + number(x - 4) + " " + std::to_string(y - 4) + "l8 8m0 -8l-8 8\"/>";
      if (to - from < 9) break;
    }
    svg += "</g>";
  }
  return svg;
}

std::string label(const ReportedCertificate& certificate) {
  std::string name = certificate.status.name;
  if (name.size() > longest_label) name = acme::printable(name, longest_label - 1);
  if (certificate.judgement == Judgement::attention) return "! " + name;
  return certificate.judgement == Judgement::unknown ? "? " + name : name;
}

}  // namespace

std::string report_timeline(const Report& report) {
  const std::size_t rows = std::min(report.certificates.size(), certificates_in_timeline);
  if (rows == 0) return {};
  const Range range = range_of(report, rows);
  const int bottom = top + static_cast<int>(rows) * row_height;
  std::string svg = "<svg viewBox=\"0 0 " + std::to_string(width) + " " +
                    std::to_string(bottom + 4) +
                    "\" role=\"img\" aria-labelledby=\"timeline-title timeline-text\">"
                    "<title id=\"timeline-title\">Lifetimes from " +
                    date(range.begin) + " to " + date(range.end) +
                    "</title><desc id=\"timeline-text\">" + std::to_string(rows) +
                    " certificates, the most urgent first: lifetimes as bars, renewals as dots, "
                    "failures as crosses. The table of certificates says the same in words."
                    "</desc>";
  svg += axis(range, bottom);
  for (std::size_t i = 0; i < rows; ++i) {
    const ReportedCertificate& certificate = report.certificates[i];
    const int y = top + static_cast<int>(i) * row_height + row_height / 2;
    svg += text(certificate.judgement == Judgement::attention ? "name bad" : "name", 4, y + 4,
                label(certificate));
    svg += bars(certificate, range, y) + thresholds(certificate, range, y) +
           marks(certificate, range, y);
    svg += '\n';
  }
  svg += line("now", range.at(report.made_at), 4, range.at(report.made_at), bottom);
  svg += text("axis now-label", range.at(report.made_at) + 3, 29, "now");
  return svg + "</svg>";
}

}  // namespace nolapse
