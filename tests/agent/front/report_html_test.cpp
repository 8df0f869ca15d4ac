// The report as it is written: nothing hostile gets through, nothing is loaded from elsewhere, and
// a fleet of ten thousand is still a page.
#include <doctest/doctest.h>

#include "acme/json_read.h"
#include "agent/front/exit_status.h"
#include "agent/front/html.h"
#include "agent/front/report_output.h"

using namespace nolapse;
using std::chrono::days;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-26T09:00:00Z");

ReportedCertificate certificate(const std::string& name, Judgement judgement, int left_days = 60) {
  acme::Certificate leaf;
  leaf.not_after = now + days(left_days);
  leaf.not_before = leaf.not_after - days(90);
  ReportedCertificate reported;
  reported.status.name = name;
  reported.status.ca = "letsencrypt";
  reported.status.domains = {{"dns", name + ".test"}};
  reported.status.serving = Serving::ok;
  reported.status.renewal = RenewalHealth::ok;
  reported.status.generation.emplace();
  reported.status.generation->number = 2;
  reported.status.generation->chain = {leaf};
  reported.records.generations = {
      {1, "letsencrypt", leaf.not_before - days(60), leaf.not_before - days(60),
       leaf.not_before + days(30)},
      {2, "letsencrypt", leaf.not_before, leaf.not_before, leaf.not_after}};
  reported.records.planned_renewal = leaf.not_after - days(30);
  reported.thresholds = {days(27), days(13), days(6)};
  reported.judgement = judgement;
  if (judgement != Judgement::fine) reported.why = "it is " + std::string(name_of(judgement));
  return reported;
}

Report report_of(std::vector<ReportedCertificate> certificates) {
  Report report;
  report.host = "web1";
  report.since = now - days(30);
  report.until = report.made_at = now;
  report.certificates = std::move(certificates);
  report.months = {{"2026-10", MonthRecord::none, 0}, {"2026-11", MonthRecord::events, 1}};
  return report;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++number;
  }
  return number;
}

}  // namespace

TEST_CASE("what stands in a page is text, whatever it looks like") {
  CHECK(html_escaped("<b a=\"1\" b='2'>&") == "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;");
  CHECK(html_escaped("a\x1b[2J\xff\nb").find('\x1b') == std::string::npos);
}

TEST_CASE("nothing hostile gets into the page, the picture or a title") {
  const std::string evil = "\"><script>alert(1)</script><img src=x onerror='x'>";
  ReportedCertificate bad = certificate(evil, Judgement::attention);
  bad.why = bad.fix = evil;
  bad.status.ca = evil;
  bad.status.domains = {{"dns", evil}};
  bad.records.generations[1].ca = evil;
  bad.records.rehearsals[evil].at = now;
  bad.drift = {evil};
  bad.open = {{evil, evil, evil, FindingSeverity::error, evil, evil, evil, now}};
  bad.story = {{now - days(2), now - days(1), 3, MomentKind::failed, Severity::error, evil, evil}};
  Report report = report_of({bad});
  report.host = evil;
  report.host_findings = bad.open;
  report.host_story = bad.story;
  report.others = {{evil, bad.story}};
  report.problems = {evil};
  report.watched = {{evil, evil, false, evil, evil, now, now, 3}};
  report.alerts = {{{bad.open[0], now}, Silence{evil, now, evil}}};
  report.channels = {{evil, evil, {now, now, now, 3, evil}, 2}};
  for (const PageKind kind : {PageKind::file, PageKind::live}) {
    const std::string page = report_page(report, kind);
    CHECK(count(page, "&lt;script&gt;") > 15);
    CHECK_FALSE(has(page, "<script"));
    CHECK_FALSE(has(page, "<img"));
    CHECK_FALSE(has(page,
                    "\"><"
                    "script"));
    CHECK_FALSE(has(page, "='x'"));
  }
  CHECK(has(report_document(report), "certificates"));
  REQUIRE(acme::parse_object(report_document(report), "report"));
}

TEST_CASE("the page loads nothing from elsewhere, and needs no script") {
  const std::string page =
      report_page(report_of({certificate("shop", Judgement::fine)}), PageKind::file);
  CHECK_FALSE(has(page, "http://"));
  CHECK_FALSE(has(page, "https://"));
  CHECK_FALSE(has(page, "url("));
  CHECK_FALSE(has(page, " style=\""));
  CHECK_FALSE(has(page, "http-equiv"));
  CHECK_FALSE(has(page, "/metrics"));
  CHECK(has(page, "<html lang=\"en\">"));
  CHECK(has(page, "<caption"));
  CHECK(has(page, "scope=\"row\""));
  CHECK(has(page, "prefers-color-scheme"));
  CHECK(has(page, "@media print"));
}

TEST_CASE("the live page loads itself again and links to what is beside it") {
  const std::string page =
      report_page(report_of({certificate("shop", Judgement::fine)}), PageKind::live);
  CHECK(has(page, "<meta http-equiv=\"refresh\" content=\"60\">"));
  CHECK(has(page, "href=\"/metrics\""));
  CHECK(has(page, "href=\"/api/v1/certificates\""));
  CHECK(has(page, "as of <time datetime=\"2026-11-26T09:00:00Z\">"));
}

TEST_CASE("the picture has lifetimes, renewals, thresholds, failures and now") {
  ReportedCertificate shop = certificate("shop", Judgement::attention);
  shop.story = {
      {now - days(9), now - days(2), 5, MomentKind::failed, Severity::error, "CA_DOWN", "x"}};
  const std::string svg = report_timeline(report_of({shop}));
  CHECK(count(svg, "<rect class=\"bar") == 2);
  CHECK(count(svg, "<circle class=\"renewed\"") == 1);  // the other one was before the period
  CHECK(count(svg, "class=\"threshold\"") == 3);
  CHECK(count(svg, "class=\"planned\"") == 1);
  CHECK(count(svg, "class=\"now\"") == 1);
  CHECK(count(svg, "<g class=\"failed\">") == 1);
  CHECK(has(svg, "CA_DOWN, 5 times"));
  CHECK(has(svg, "<desc id=\"timeline-text\">"));
  CHECK(has(svg, ">! shop</text>"));
  CHECK(report_timeline(report_of({})).empty());
}

TEST_CASE("bars, ticks and now stand in the order of time") {
  // One that ends in years must not squeeze the others.
  std::vector<ReportedCertificate> many;
  for (int i = 0; i < 20; ++i)
    many.push_back(certificate("c" + std::to_string(i), Judgement::fine));
  many.push_back(certificate("root", Judgement::fine, 3000));
  const std::string svg = report_timeline(report_of(many));
  const auto x_of = [&](const std::string& element) {
    const std::size_t at = svg.find("x1=\"", svg.find(element));
    return std::stod(svg.substr(at + 4));
  };
  CHECK(x_of("class=\"now\"") > 190 + 200);
  CHECK(x_of("class=\"now\"") < x_of("class=\"threshold\""));
}

TEST_CASE("the text begins with the verdict, and the exit status says the same") {
  const auto first_line = [](const Report& report) {
    const std::string text = report_text(report);
    return text.substr(0, text.find('\n'));
  };
  const Report fine = report_of({certificate("shop", Judgement::fine)});
  CHECK(first_line(fine) == "the one certificate is provably renewed");
  CHECK(exit_status_of(fine) == exit_status::ok);
  const Report bad =
      report_of({certificate("shop", Judgement::attention), certificate("mail", Judgement::fine)});
  CHECK(first_line(bad) == "1 of 2 certificates needs attention: shop");
  CHECK(exit_status_of(bad) == exit_status::failed);
  CHECK(has(report_text(bad), "ATTENTION shop: it is attention"));
  const Report unknown = report_of({certificate("shop", Judgement::unknown)});
  CHECK(exit_status_of(unknown) == exit_status::undecided);
  CHECK(has(report_text(fine), "2026-10: no record"));
  CHECK(has(report_text(fine), "torn lines that are left out: 1"));
}

TEST_CASE("the document says what happened in a form that a later report reads") {
  ReportedCertificate shop = certificate("shop", Judgement::attention);
  shop.story = {
      {now - days(9), now - days(2), 5, MomentKind::failed, Severity::error, "CA_DOWN", "x"}};
  const auto document = acme::parse_object(report_document(report_of({shop})), "report");
  REQUIRE(document);
  CHECK((*document)["schema"] == 1);
  CHECK((*document)["ok"] == false);
  CHECK((*document)["since"] == "2026-10-27T09:00:00Z");
  CHECK((*document)["record"][0]["record"] == "none");
  CHECK((*document)["certificates"][0]["generations"].size() == 2);
  ReportHistory history(now - days(30), now);
  history.take_kept_report(*document);
  REQUIRE(history.stories().contains("shop"));
  CHECK(history.stories().at("shop")[0].count == 5);
}

TEST_CASE("a fleet of ten thousand is a page that a browser opens") {
  std::vector<ReportedCertificate> many;
  for (int i = 0; i < 10'000; ++i) {
    many.push_back(
        certificate("shop" + std::to_string(i), i < 300 ? Judgement::attention : Judgement::fine));
  }
  const Report report = report_of(std::move(many));
  const std::string page = report_page(report, PageKind::file);
  MESSAGE("the page of 10,000 certificates has " << page.size() / 1024 << " KiB");
  CHECK(page.size() < 8u << 20);
  CHECK(count(page, "<g class=\"failed\">") <= certificates_in_timeline + 1);
  CHECK(has(page, "The other 9800"));
}
