// What became of a finding that is not found again, as a table.
#include "agent/core/finding_fate.h"

#include <doctest/doctest.h>

#include "agent/core/self_test_watch.h"

using namespace nolapse;
using enum FindingSeverity;

namespace {

const Time monday = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

Finding a(const std::string& code, const std::string& subject = {},
          FindingSeverity severity = error, const std::string& certificate = "shop") {
  return {code, certificate, subject, severity, code, {}, {}, {}};
}

struct Row {
  Finding before;
  std::vector<Finding> now;
  Fate fate;
  const char* successor = "";
};

}  // namespace

TEST_CASE("a finding is over only when its check ended and saw the opposite") {
  const std::string at = "mail.test:465 at 192.0.2.7";
  const std::vector<Row> table = {
      // Nothing else is wrong, or what is has nothing to do with it.
      {a("EXPIRY_NEAR"), {}, Fate::over},
      {a("EXPIRY_NEAR"), {a("EXPIRED", {}, error, "other")}, Fate::over},
      {a("DISK_LOW"), {a("EXPIRED")}, Fate::over},
      {a("ENDPOINT_UNREACHABLE", at), {a("NOT_SERVED", at)}, Fate::over},
      {a("CHECK_TIMED_OUT", "EXPIRY_NEAR", unknown), {}, Fate::over},
      // It got worse, or is seen from another side.
      {a("EXPIRY_NEAR"), {a("EXPIRED")}, Fate::became, "EXPIRED"},
      {a("EXPIRY_NEAR", "/x.pem"), {a("EXPIRED", "/x.pem")}, Fate::became, "EXPIRED"},
      {a("EXPIRY_NEAR", "/x.pem"), {a("EXPIRED", "/y.pem")}, Fate::over},
      {a("EXPIRY_NEAR", "mail.test:465"),
       {a("SERVED_EXPIRED", at)},
       Fate::became,
       "SERVED_EXPIRED"},
      {a("EXPIRY_NEAR", "mail.test:46"), {a("SERVED_EXPIRED", at)}, Fate::over},
      {a("EXPIRED"), {a("SERVED_EXPIRED", at)}, Fate::over},  // renewed, and not deployed
      {a("EXPIRED"), {a("EXPIRY_NEAR")}, Fate::became, "EXPIRY_NEAR"},
      {a("EXPIRY_NEAR"), {a("ORPHAN")}, Fate::became, "ORPHAN"},
      {a("ORPHAN"), {a("EXPIRED")}, Fate::became, "EXPIRED"},
      {a("RENEWAL_OVERDUE"), {a("RENEWAL_FAILING")}, Fate::became, "RENEWAL_FAILING"},
      {a("RENEWAL_OVERDUE"), {a("RENEWAL_FAILING", "standby")}, Fate::over},
      {a("RENEWAL_FAILING"),
       {a("CERTIFICATE_MISSING", {}, warning)},
       Fate::became,
       "CERTIFICATE_MISSING"},
      {a("NOT_SERVED", at), {a("SERVED_EXPIRED", at)}, Fate::became, "SERVED_EXPIRED"},
      {a("CHAIN_INVALID", at), {a("HANDSHAKE_FAILS", at)}, Fate::became, "HANDSHAKE_FAILS"},
      // Nobody could look.
      {a("EXPIRY_NEAR", "mail.test:465"), {a("ENDPOINT_UNREACHABLE", at, warning)}, Fate::unseen},
      {a("SERVED_EXPIRED", at),
       {a("ENDPOINT_UNREACHABLE", "mail.test:465", warning)},
       Fate::unseen},
      {a("SERVED_EXPIRED", at),
       {a("ENDPOINT_UNREACHABLE", "mail.test:465 at 192.0.2.8", warning)},
       Fate::over},
      {a("EXPIRY_NEAR"), {a("ENDPOINT_UNREACHABLE", at, warning)}, Fate::over},  // our own file
      {a("EXPIRY_NEAR", "/x.pem"), {a("WATCHED_FILE_MISSING", "/x.pem")}, Fate::unseen},
      {a("NOT_SERVED", at), {a("WATCHED_FILE_MISSING", "/x.pem")}, Fate::unseen},
      {a("EXPIRED"), {a("EXPIRY_NEAR", {}, unknown)}, Fate::unseen},
      {a("RENEWAL_FAILING"), {a("RENEWAL_UNKNOWN", {}, unknown)}, Fate::unseen},
      {a("NOT_SERVED", at), {a("CHECK_TIMED_OUT", "NOT_SERVED", unknown)}, Fate::unseen},
      {a("CHAIN_INVALID", at), {a("CHECK_FAILED", "NOT_SERVED", unknown)}, Fate::unseen},
      {a("NOT_SERVED", at), {a("CHECK_FAILED", "NOT_SERVED", unknown, "other")}, Fate::over},
      {a("DISK_LOW"), {a("CHECK_FAILED", "NOT_SERVED", unknown)}, Fate::over},
      {a("ORPHAN"), {a("CHECK_FAILED", "ORPHAN", unknown, "")}, Fate::unseen},
      {a("TERMS_CHANGED", "CA le", error, ""),
       {a("CA_UNREACHABLE", "CA le", error, "")},
       Fate::unseen},
      {a("TERMS_CHANGED", "CA le", error, ""),
       {a("CA_UNREACHABLE", "CA other", error, "")},
       Fate::over},
      {a("CAA_FORBIDS_CA"), {a("CAA_LOOKUP_FAILED", {}, warning)}, Fate::unseen},
      // What is known to have become something else is not merely unseen.
      {a("EXPIRY_NEAR"),
       {a("EXPIRED"), a("CHECK_FAILED", "EXPIRY_NEAR", unknown)},
       Fate::became,
       "EXPIRED"},
  };
  for (const Row& row : table) {
    CAPTURE(row.before.code + " " + row.before.subject);
    CAPTURE(row.now.empty() ? "" : row.now.front().code + " " + row.now.front().subject);
    const FindingFate fate = fate_of(row.before, row.now);
    CHECK(static_cast<int>(fate.fate) == static_cast<int>(row.fate));
    CHECK((fate.successor == nullptr ? "" : fate.successor->code) == row.successor);
  }
}

TEST_CASE("of several successors one that is new is taken, where there is one") {
  const Finding first = a("SERVED_EXPIRED", "mail.test:465 at 192.0.2.7");
  const Finding second = a("SERVED_EXPIRED", "mail.test:465 at 192.0.2.8");
  const Finding before = a("EXPIRY_NEAR", "mail.test:465");
  CHECK(fate_of(before, {first, second}, {first}).successor->subject == second.subject);
  CHECK(fate_of(before, {first, second}, {first, second}).successor != nullptr);
}

TEST_CASE("what a self-test could not see stays found, with its beginning, and what it saw goes") {
  std::vector<Finding> before = {a("NOT_SERVED", "a:443 at 192.0.2.7"), a("DISK_LOW")};
  for (Finding& finding : before) finding.since = monday;
  const Finding timed_out = a("CHECK_TIMED_OUT", "NOT_SERVED", unknown);
  const auto now = findings_after({monday + std::chrono::hours(1), false, {timed_out}}, before);
  REQUIRE(now.size() == 2);
  CHECK(now[0].code == "CHECK_TIMED_OUT");
  CHECK(now[1].code == "NOT_SERVED");
  CHECK(now[1].since == monday);
  CHECK(findings_after({monday, false, {}}, before).empty());
}
