// Findings over time: what is new, what goes on, what is gone.
#include "agent/core/finding.h"

#include <doctest/doctest.h>

#include "agent/core/finding_document.h"
#include "agent/core/self_test_watch.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time monday = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

Finding a(const std::string& code, FindingSeverity severity, const std::string& subject = {}) {
  return {code, "shop", subject, severity, "a summary", "evidence", "a fix", {}};
}

std::vector<std::string> codes(const std::vector<Finding>& findings) {
  std::vector<std::string> list;
  for (const Finding& finding : findings) list.push_back(finding.code);
  return list;
}

using Codes = std::vector<std::string>;

}  // namespace

TEST_CASE("told is what is new or of another severity, and what is gone; once") {
  using enum FindingSeverity;
  const std::vector<Finding> before = {a("A", error), a("B", warning), a("C", error), a("D", ok)};
  const std::vector<Finding> now = {a("A", error), a("B", error), a("C", ok), a("D", warning)};
  const FindingNews news = news_of(before, now);
  CHECK(codes(news.raised) == Codes{"B", "D"});
  CHECK(codes(news.resolved) == Codes{"C"});
  CHECK(news_of(now, now).raised.empty());
  CHECK(news_of(now, now).resolved.empty());
}

TEST_CASE("two findings of one code are told apart by certificate and subject") {
  const std::vector<Finding> before = {a("A", FindingSeverity::error, "192.0.2.1:443")};
  std::vector<Finding> now = {a("A", FindingSeverity::error, "192.0.2.2:443")};
  CHECK(news_of(before, now).raised.size() == 1);
  CHECK(news_of(before, now).resolved.size() == 1);
  now = before;
  now.front().certificate = "other";
  CHECK(news_of(before, now).raised.size() == 1);
}

TEST_CASE("a finding keeps its beginning as long as it lasts") {
  std::vector<Finding> monday_found = {a("A", FindingSeverity::warning)};
  keep_since(monday_found, {}, monday);
  CHECK(monday_found.front().since == monday);
  std::vector<Finding> later = {a("A", FindingSeverity::error), a("B", FindingSeverity::error)};
  keep_since(later, monday_found, monday + 24h);
  CHECK(later[0].since == monday);
  CHECK(later[1].since == monday + 24h);
  std::vector<Finding> fine = {a("A", FindingSeverity::ok)};
  keep_since(fine, later, monday + 48h);
  CHECK(fine.front().since == monday + 48h);
}

TEST_CASE("a cheap self-test leaves alone what only a deep one can say") {
  std::vector<Finding> before = {
      a("DISK_WRITE_FAILED", FindingSeverity::error), a("DISK_LOW", FindingSeverity::error),
      a("CHECK_TIMED_OUT", FindingSeverity::unknown, "HOOK_CHECK_FAILED")};
  Findings cheap{monday, false, {a("DISK_LOW", FindingSeverity::ok)}};
  CHECK(codes(findings_after(cheap, before)) == Codes{"DISK_WRITE_FAILED", "CHECK_TIMED_OUT"});
  Findings deep{monday, true, {a("DISK_LOW", FindingSeverity::warning)}};
  CHECK(codes(findings_after(deep, before)) == Codes{"DISK_LOW"});
}

TEST_CASE("findings.json comes back as it was written, and a broken one is an error") {
  SavedFindings saved{monday, monday - 1h, {a("A", FindingSeverity::error, "subject")}};
  saved.findings.front().since = monday - 48h;
  const auto read = read_findings_document(write_findings_document(saved));
  REQUIRE(read);
  CHECK(read->checked_at == monday);
  CHECK(read->deep_checked_at == monday - 1h);
  REQUIRE(read->findings.size() == 1);
  CHECK(read->findings.front().same_as(saved.findings.front()));
  CHECK(read->findings.front().severity == FindingSeverity::error);
  CHECK(read->findings.front().since == monday - 48h);
  CHECK(read->findings.front().fix == "a fix");
  CHECK_FALSE(read_findings_document("{").has_value());
  // What a newer version calls otherwise is not fine.
  const auto odd =
      read_findings_document(R"({"schema":1,"findings":[{"code":"A","severity":"catastrophe"}]})");
  REQUIRE(odd);
  CHECK(odd->findings.front().severity == FindingSeverity::unknown);
}
