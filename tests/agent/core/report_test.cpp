// What a report says of a certificate, of all, and of the months it knows about.
#include "agent/core/report.h"

#include <doctest/doctest.h>

#include "acme/json_read.h"
#include "agent/core/report_period.h"

using namespace nolapse;
using std::chrono::days;
using std::chrono::hours;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-26T09:00:00Z");

CertificateStatus status_of(const std::string& name, Duration left = days(60)) {
  acme::Certificate leaf;
  leaf.not_after = now + left;
  leaf.not_before = leaf.not_after - days(90);
  CertificateStatus status;
  status.name = name;
  status.ca = "letsencrypt";
  status.serving = Serving::ok;
  status.renewal = RenewalHealth::ok;
  status.generation.emplace();
  status.generation->number = 4;
  status.generation->ca = "letsencrypt";
  status.generation->issued_at = leaf.not_before;
  status.generation->chain = {leaf};
  return status;
}

struct Scene {
  Config config;
  ReportInput input{config, "web1", now, {}, {}, {}, {now - days(30), now}, {}, {}, {}};

  void add(CertificateStatus status) {
    CertificateRecords records;
    records.planned_renewal = status.generation->leaf().not_after - days(30);
    const Generation& newest = *status.generation;
    records.generations = {{newest.number, newest.ca, newest.issued_at, newest.leaf().not_before,
                            newest.leaf().not_after}};
    input.records[status.name] = records;
    input.statuses.push_back(std::move(status));
  }
  void happened(Duration ago, const std::string& certificate, Severity severity,
                const std::string& code, const std::string& message = "it says why") {
    input.history.take({now - ago, certificate, severity, code, message});
  }
  void find(FindingSeverity severity, const std::string& code, const std::string& certificate) {
    input.findings.findings.push_back(
        {code, certificate, {}, severity, "a summary", "seen", "do this"});
  }
  Report report() { return make_report(std::move(input)); }
};

}  // namespace

TEST_CASE("only what is served as it should be and will be renewed is fine") {
  struct Row {
    const char* what;
    void (*change)(Scene& scene, CertificateStatus& status);
    Judgement judgement;
    const char* why;  // a part of it
  };
  const std::vector<Row> rows = {
      {"nothing", [](Scene&, CertificateStatus&) {}, Judgement::fine, ""},
      {"due, on its way", [](Scene&, CertificateStatus& s) { s.renewal = RenewalHealth::due; },
       Judgement::fine, ""},
      {"overdue", [](Scene&, CertificateStatus& s) { s.renewal = RenewalHealth::overdue; },
       Judgement::attention, "renewal overdue"},
      {"failing",
       [](Scene&, CertificateStatus& s) {
         s.renewal = RenewalHealth::failing;
         s.last_error = SavedError{now, "transient", "CA_DOWN", "the CA is down", {}, {}};
       },
       Judgement::attention, "the CA is down"},
      {"served by something else", [](Scene&, CertificateStatus& s) { s.serving = Serving::wrong; },
       Judgement::attention, "serving wrong"},
      {"unverified", [](Scene&, CertificateStatus& s) { s.serving = Serving::unverified; },
       Judgement::unknown, "no endpoint"},
      {"unknown renewal", [](Scene&, CertificateStatus& s) { s.renewal = RenewalHealth::unknown; },
       Judgement::unknown, ""},
      {"what is served cannot be judged",
       [](Scene&, CertificateStatus& s) {
         s.serving = Serving::unknown;
         s.renewal = RenewalHealth::unknown;
         s.renew_reason = "its records cannot be read";
         s.endpoints = {{"shop.test:443", "", Verdict::wrong, "f00", now, "serves one"}};
       },
       Judgement::unknown, "its records cannot be read"},
      {"near its end", [](Scene&, CertificateStatus& s) { s = status_of("shop", days(5)); },
       Judgement::attention, "it expires in 5d"},
      {"a red finding",
       [](Scene& scene, CertificateStatus&) {
         scene.find(FindingSeverity::error, "HOOK_MISSING", "shop");
       },
       Judgement::attention, "HOOK_MISSING"},
      {"a finding nobody can judge",
       [](Scene& scene, CertificateStatus&) {
         scene.find(FindingSeverity::unknown, "CHECK_FAILED", "shop");
       },
       Judgement::unknown, "CHECK_FAILED"},
      {"a warning",
       [](Scene& scene, CertificateStatus&) {
         scene.find(FindingSeverity::warning, "CA_SLOW", "shop");
       },
       Judgement::fine, ""},
      {"somebody else's finding",
       [](Scene& scene, CertificateStatus&) {
         scene.find(FindingSeverity::error, "HOOK_MISSING", "mail");
       },
       Judgement::fine, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Scene scene;
    CertificateStatus status = status_of("shop");
    row.change(scene, status);
    scene.add(std::move(status));
    const Report report = scene.report();
    REQUIRE(report.certificates.size() == 1);
    CHECK(report.certificates[0].judgement == row.judgement);
    CHECK(report.certificates[0].why.find(row.why) != std::string::npos);
    CHECK(report.certificates[0].fix.empty() == (row.judgement == Judgement::fine));
    CHECK(report.judgement() == row.judgement);
  }
}

TEST_CASE("what to do is what stands in the way of the renewal says") {
  Scene scene;
  CertificateStatus status = status_of("shop");
  status.renewal = RenewalHealth::failing;
  status.doubts = {{"CONFIG_BROKEN", "", "", FindingSeverity::error, "a summary", "why", "chmod"}};
  scene.add(std::move(status));
  CHECK(scene.report().certificates[0].fix == "chmod");
}

TEST_CASE("the verdict names who needs attention, and counts the rest") {
  Scene scene;
  for (int i = 0; i < 8; ++i) {
    CertificateStatus status = status_of("shop" + std::to_string(i), days(60 + i));
    if (i < 7) status.serving = Serving::expired;
    scene.add(std::move(status));
  }
  CHECK(verdict_of(scene.report()) ==
        "7 of 8 certificates need attention: shop0, shop1, shop2, shop3, shop4 and 2 more");
  Scene healthy;
  CHECK(verdict_of(make_report(healthy.input)) == "there is no certificate");
  healthy.add(status_of("shop"));
  healthy.add(status_of("mail"));
  CHECK(verdict_of(make_report(healthy.input)) == "all 2 certificates are provably renewed");
  healthy.find(FindingSeverity::error, "DISK_LOW", {});
  const Report report = healthy.report();
  CHECK(verdict_of(report).find("this host needs attention") != std::string::npos);
  CHECK(report.judgement() == Judgement::attention);
}

TEST_CASE("nothing to watch, and what could not be read, are never fine") {
  Scene scene;
  CHECK(make_report(scene.input).judgement() == Judgement::unknown);
  scene.add(status_of("shop"));
  CHECK(make_report(scene.input).judgement() == Judgement::fine);
  scene.input.problems.emplace_back("alerts.json: it is no JSON");
  CHECK(scene.report().judgement() == Judgement::unknown);
}

TEST_CASE("a certificate that others renew is told of when it is wrong, or near its end") {
  const auto judged = [](bool ok, Duration left) {
    Scene scene;
    scene.add(status_of("shop"));
    scene.input.watched.push_back({"legacy", "192.0.2.7:443", ok, "", "", {}, now + left});
    return scene.report();
  };
  CHECK(judged(true, days(40)).judgement() == Judgement::fine);
  CHECK(verdict_of(judged(true, days(40))).find("that others renew") != std::string::npos);
  CHECK(judged(true, days(20)).judgement() == Judgement::attention);
  CHECK(judged(false, days(40)).judgement() == Judgement::attention);
  CHECK(verdict_of(judged(false, days(40))) == "1 of 2 certificates needs attention: legacy");
}

TEST_CASE("what happened to a certificate that others renew is told, and that they do") {
  Scene scene;
  scene.input.watched.push_back({"legacy", "192.0.2.7:443", true, "", "", {}, now + days(40)});
  scene.happened(days(3), "legacy", Severity::error, "EXPIRY_NEAR");
  scene.happened(days(2), "gone", Severity::error, "EXPIRY_NEAR");
  const Report report = scene.report();
  REQUIRE(report.others.size() == 2);
  CHECK(report.others[0].name == "gone");
  CHECK_FALSE(report.others[0].watched);
  CHECK(report.others[1].name == "legacy");
  CHECK(report.others[1].watched);
  CHECK(report.others[1].story.size() == 1);
}

TEST_CASE("the same failure again and again is one moment, until something better comes") {
  Scene scene;
  scene.add(status_of("shop"));
  for (int i = 20; i > 10; --i) {
    scene.happened(days(i), "shop", Severity::warning, "PROOF_NOT_SEEN");
    scene.happened(days(i) - hours(1), "shop", Severity::error, "CA_UNREACHABLE",
                   "attempt " + std::to_string(i));
  }
  scene.happened(days(10), "shop", Severity::info, "CERTIFICATE_ISSUED");
  scene.happened(days(9), "shop", Severity::error, "CA_UNREACHABLE");
  const Report report = scene.report();
  const auto& certificate = report.certificates[0];
  REQUIRE(certificate.story.size() == 4);
  const ReportMoment& failures = certificate.story[1];
  CHECK(failures.kind == MomentKind::failed);
  CHECK(failures.count == 10);
  CHECK(failures.message == "attempt 11");
  CHECK(failures.last == now - days(11) + hours(1));
  CHECK(certificate.tally.failed == 11);
  CHECK(certificate.tally.renewed == 1);
  CHECK(report.tally.failed == 11);
}

TEST_CASE("what a code means for a certificate") {
  struct Row {
    Event event;
    std::optional<MomentKind> kind;
  };
  const auto event = [](Severity severity, const char* code, const char* series = "") {
    return Event{now, "shop", severity, code, "", series};
  };
  const std::vector<Row> rows = {
      {event(Severity::info, "CERTIFICATE_ISSUED"), MomentKind::renewed},
      {event(Severity::info, "DEPLOYMENT_VERIFIED"), MomentKind::deployed},
      {event(Severity::error, "ROLLED_BACK"), MomentKind::rolled_back},
      {event(Severity::error, "CA_PROBLEM"), MomentKind::failed},
      {event(Severity::error, "CA_UNREACHABLE"), MomentKind::failed},
      {{now, {}, Severity::error, "CA_UNREACHABLE", "", ""}, MomentKind::found},
      {event(Severity::warning, "ENDPOINT_UNREACHABLE"), MomentKind::found},
      {event(Severity::info, "FINDING_RESOLVED"), MomentKind::resolved},
      {event(Severity::error, "EXPIRED"), MomentKind::expiring},
      {event(Severity::info, "HOOK_STARTED"), {}},
      {event(Severity::error, "CA_DOWN", "rehearsal"), {}},
      {{now, {}, Severity::error, "SWEEP_FAILED", "", ""}, MomentKind::noted},
  };
  for (const Row& row : rows) {
    CAPTURE(row.event.code);
    CHECK(kind_of(row.event) == row.kind);
  }
}

TEST_CASE("an incident begins with the last success and has what somebody was told") {
  Scene scene;
  CertificateStatus status = status_of("shop", days(20));
  scene.add(std::move(status));
  scene.add(status_of("mail"));
  scene.happened(days(29), {}, Severity::info, "ALERT_DELIVERED", "of something else");
  scene.happened(days(12), "shop", Severity::error, "CA_UNREACHABLE");
  scene.happened(days(12) - hours(1), {}, Severity::info, "ALERT_DELIVERED", "1 message");
  scene.happened(days(3), "shop", Severity::error, "CA_UNREACHABLE");
  scene.happened(days(2), "shop", Severity::info, "CERTIFICATE_ISSUED");
  const Report report = scene.report();
  const auto& shop = report.certificates[0];
  REQUIRE(shop.status.name == "shop");
  const ReportMoments incident = incident_of(report, shop);
  REQUIRE(incident.size() == 4);
  CHECK(incident[0].kind == MomentKind::renewed);
  CHECK(incident[0].message.find("the last success before") != std::string::npos);
  CHECK(incident[1].code == "CA_UNREACHABLE");
  CHECK(incident[2].kind == MomentKind::told);
  CHECK(incident[3].kind == MomentKind::renewed);
  CHECK(incident_of(report, report.certificates[1]).empty());
}

TEST_CASE("drift is what is served or deployed but not issued, and what changed since") {
  Scene scene;
  CertificateStatus status = status_of("shop");
  status.endpoints = {{"shop.test:443", "192.0.2.7:443", Verdict::wrong, "", {}, "serves \"x\""}};
  status.deployments["edge"].generation = 3;
  status.deployments["nginx"].generation = 4;
  scene.add(std::move(status));
  scene.input.records["shop"].proven_at = now - days(30);
  scene.input.records["shop"].changed = "hook /hooks/nginx";
  const auto drift = scene.report().certificates[0].drift;
  REQUIRE(drift.size() == 3);
  CHECK(drift[0] == "shop.test:443 at 192.0.2.7:443 serves \"x\"");
  CHECK(drift[1] == "target edge has generation 3, the newest is 4");
  CHECK(drift[2].find("hook /hooks/nginx") != std::string::npos);
}

TEST_CASE("what is outside the period, and the other half of a line, is left out") {
  ReportHistory history(now - days(1), now);
  history.take({now - days(2), "shop", Severity::error, "CA_DOWN", ""});
  history.take({now, "shop", Severity::error, "CA_DOWN", ""});
  CHECK(history.stories().empty());
  CHECK_FALSE(parse_event_line("{\"at\":\"2026-11-26T09:0").has_value());
  CHECK_FALSE(parse_event_line("{\"at\":\"never\",\"code\":\"X\"}").has_value());
  CHECK_FALSE(parse_event_line("[]").has_value());
  const auto event = parse_event_line(
      R"({"at":"2026-11-26T09:00:00Z","severity":"warning","code":"X","certificate":null,)"
      R"("message":"m"})");
  REQUIRE(event);
  CHECK(event->severity == Severity::warning);
  CHECK(event->certificate.empty());
}

TEST_CASE("lines that were written twice count once") {
  ReportHistory history(now - days(1), now);
  const Event event{now - hours(1), "shop", Severity::info, "CERTIFICATE_ISSUED", "generation 4"};
  history.take(event);
  history.take({now - hours(1), "shop", Severity::error, "CA_DOWN", "x"});
  history.take(event);
  CHECK(history.stories().at("shop").size() == 2);
}

TEST_CASE("a story has a limit, and says how much it lost") {
  ReportHistory history(now - days(100), now);
  for (int i = 0; i < 300; ++i) {
    history.take(
        {now - hours(1000 - i), "shop", Severity::info, "CERTIFICATE_ISSUED", std::to_string(i)});
  }
  CHECK(history.stories().at("shop").size() == ReportHistory::longest_story);
  CHECK(history.left_out().at("shop") == 300 - ReportHistory::longest_story);
  CHECK(history.stories().at("shop").back().message == "299");
}

TEST_CASE("the history of a kept report is taken as if its events were there") {
  ReportHistory first(now - days(30), now);
  first.take({now - days(20), "shop", Severity::error, "CA_DOWN", "a"});
  first.take({now - days(19), "shop", Severity::error, "CA_DOWN", "b"});
  first.take({now - days(18), {}, Severity::info, "ALERT_DELIVERED", "c"});
  const nlohmann::json document = {
      {"certificates", {{{"name", "shop"}, {"events", moments_array(first.stories().at("shop"))}}}},
      {"events", moments_array(first.stories().at(""))}};
  ReportHistory second(now - days(60), now);
  second.take_kept_report(nlohmann::json::parse(document.dump()));
  REQUIRE(second.stories().size() == 2);
  const ReportMoment& moment = second.stories().at("shop").front();
  CHECK(moment.count == 2);
  CHECK(moment.kind == MomentKind::failed);
  CHECK(moment.last == now - days(19));
  CHECK(moment.message == "b");
  ReportHistory later(now - days(10), now);
  later.take_kept_report(document);
  CHECK(later.stories().empty());
  // Whatever lies there is no reason to fall.
  for (const char* hostile : {"{}", R"({"certificates":[1,null,{"events":[{"at":7}]}]})",
                              R"({"events":[{"at":"2026-11-20T00:00:00Z","count":-9}]})"}) {
    ReportHistory history(now - days(60), now);
    history.take_kept_report(nlohmann::json::parse(hostile));
  }
}

TEST_CASE("the months of a period") {
  const auto at = [](const char* text) { return *acme::parse_rfc3339(text); };
  using Months = std::vector<std::string>;
  CHECK(months_of(at("2026-11-05T00:00:00Z"), now) == Months{"2026-11"});
  CHECK(months_of(at("2026-10-31T23:59:59Z"), at("2026-11-01T00:00:00Z")) == Months{"2026-10"});
  CHECK(months_of(at("2025-12-31T00:00:00Z"), at("2026-02-01T00:00:01Z")) ==
        Months{"2025-12", "2026-01", "2026-02"});
}

TEST_CASE("the month and the week that ended last, in UTC") {
  struct Row {
    const char* now;
    const char* month;
    const char* week;
    const char* boundary;
  };
  const std::vector<Row> rows = {
      {"2026-11-26T09:00:00Z", "2026-10", "2026-11-16", "2026-11-30T00:00:00Z"},
      {"2026-11-30T00:00:00Z", "2026-10", "2026-11-23", "2026-12-01T00:00:00Z"},
      {"2026-12-01T00:00:00Z", "2026-11", "2026-11-23", "2026-12-07T00:00:00Z"},
      {"2027-01-01T00:00:01Z", "2026-12", "2026-12-21", "2027-01-04T00:00:00Z"},
      {"2028-02-29T23:59:59Z", "2028-01", "2028-02-21", "2028-03-01T00:00:00Z"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.now);
    const Time time = *acme::parse_rfc3339(row.now);
    CHECK(last_month(time).id == row.month);
    CHECK(last_month(time).until <= time);
    CHECK(last_week(time).id == row.week);
    CHECK(last_week(time).until - last_week(time).since == days(7));
    CHECK(last_week(time).until <= time);
    CHECK(next_boundary(time) == *acme::parse_rfc3339(row.boundary));
  }
  CHECK(month_span("2026-11")->until == *acme::parse_rfc3339("2026-12-01T00:00:00Z"));
  for (const char* bad : {"2026-13", "2026-1", "reports", "2026-11-16"}) {
    CHECK_FALSE(month_span(bad).has_value());
  }
}
