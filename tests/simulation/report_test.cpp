// The reports that a daemon makes by itself, in the shop's world: once for each month, through
// every channel that is for people, over restarts, downtime, full disks and power failures; and
// what they remember when the events are gone.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

std::string path(const std::string& name) {
  return std::string(Shop::state) + name;
}

// As the front does it, as far as it matters here.
RenderedReport render(const Report& report) {
  nlohmann::json certificates = nlohmann::json::array();
  for (const ReportedCertificate& certificate : report.certificates) {
    certificates.push_back(
        {{"name", certificate.status.name}, {"events", moments_array(certificate.story)}});
  }
  const nlohmann::json document{{"schema", 1}, {"certificates", std::move(certificates)}};
  return {"report from " + acme::format_rfc3339(report.since), verdict_of(report),
          "the text of " + acme::format_rfc3339(report.since), "<html>", document.dump()};
}

class Scene : public DaemonScene {
 public:
  // It begins on the 23rd of November 2026, a Monday, at nine.
  explicit Scene(std::uint64_t seed) : DaemonScene(seed) {
    shop.config.daemon.self_tests = true;
    shop.world.files.put("/etc/nolapse/nolapse.toml", "", 0644);
    shop.world.files.put("/bin/sh", "", 0755);  // the hook's interpreter
    shop.config.files = {"/etc/nolapse/nolapse.toml"};
    for (const char* name : {"one", "another"}) {
      AlertChannel channel{name, "email"};
      channel.settings["smtp"] = "smtp://mail.test:587";
      channel.to = {"ops@shop.test"};
      shop.config.alerts.channels.push_back(std::move(channel));
    }
    shop.config.alerts.channels.push_back({"pager", "pagerduty"});
    report_tools.render = render;
  }
  int reports_from(const std::string& day) const {
    const auto& taken = shop.world.mail.taken;
    const std::string subject = "Subject: [nolapse] report from " + day + "T00:00:00Z";
    return static_cast<int>(std::count_if(taken.begin(), taken.end(), [&](const MailMessage& mail) {
      return mail.content.find(subject) != std::string::npos;
    }));
  }
  int reports() const {
    const auto& taken = shop.world.mail.taken;
    return static_cast<int>(std::count_if(taken.begin(), taken.end(), [](const MailMessage& mail) {
      return mail.content.find("Subject: [nolapse] report from") != std::string::npos;
    }));
  }
  Report report_since(Duration ago) {
    ReportRequest request;
    request.until = shop.world.clock.now();
    request.since = request.until - ago;
    std::optional<Report> report;
    collect_report(shop.world.world(), shop.config, std::move(request),
                   [&](Report made) { report = std::move(made); });
    shop.world.clock.run_until([&] { return report.has_value(); }, 5min);
    REQUIRE(report);
    return *report;
  }
};

}  // namespace

TEST_CASE("each month's report is sent once to each channel that is for people") {
  Scene scene(401);
  REQUIRE(scene.start());
  scene.run_for(24h * 7);
  CHECK(scene.reports() == 0);  // of October nothing is known
  scene.run_for(24h * 3);
  CHECK(scene.reports_from("2026-11-01") == 2);
  CHECK(scene.shop.world.files.text(path("/reports/2026-11.html")) == "<html>");
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(24h * 40);
  CHECK(scene.reports_from("2026-11-01") == 2);
  CHECK(scene.reports_from("2026-12-01") == 2);
  CHECK(scene.reports() == 4);
}

TEST_CASE("a weekly report comes on Mondays, and months are kept all the same") {
  Scene scene(402);
  scene.shop.config.alerts.report = ReportPeriod::weekly;
  REQUIRE(scene.start());
  scene.run_for(24h * 16);  // to the 9th of December
  CHECK(scene.reports_from("2026-11-23") == 2);
  CHECK(scene.reports_from("2026-11-30") == 2);
  CHECK(scene.reports() == 4);
  CHECK(scene.shop.world.files.exists(path("/reports/2026-11.json")));
  CHECK_FALSE(scene.shop.world.files.exists(path("/reports/2026-11.html")));
}

TEST_CASE("where nobody wants reports none is sent, and months are kept") {
  Scene scene(403);
  scene.shop.config.alerts.report = ReportPeriod::never;
  REQUIRE(scene.start());
  scene.run_for(24h * 40);
  CHECK(scene.reports() == 0);
  CHECK(scene.shop.world.files.exists(path("/reports/2026-11.json")));
}

TEST_CASE("a daemon that was down at the end of a month catches up, once") {
  Scene scene(404);
  REQUIRE(scene.start());
  scene.run_for(24h * 5);
  scene.kill();
  scene.run_for(24h * 50);  // to the middle of January
  REQUIRE(scene.start());
  scene.run_for(24h);
  // Only the last month is sent; the one in which it went down is kept.
  CHECK(scene.reports_from("2026-12-01") == 2);
  CHECK(scene.reports() == 2);
  CHECK(scene.shop.world.files.exists(path("/reports/2026-11.json")));
  scene.run_for(24h * 5);
  CHECK(scene.reports() == 2);
}

TEST_CASE("a full disk at the end of a month delays the report") {
  Scene scene(405);
  REQUIRE(scene.start());
  scene.run_for(24h * 7);
  scene.shop.world.files.set_disk_full(true);
  REQUIRE(scene.run_until_event("REPORT_NOT_KEPT", 24h));
  CHECK(scene.reports() == 0);
  scene.shop.world.files.set_disk_full(false);
  scene.run_for(3h);
  CHECK(scene.reports_from("2026-11-01") == 2);
}

TEST_CASE("a power failure while a report is made loses none, and sends none twice for long") {
  for (int operations = 1; operations <= 40; operations += 3) {
    CAPTURE(operations);
    Scene scene(406 + static_cast<std::uint64_t>(operations));
    REQUIRE(scene.start());
    scene.run_for(24h * 7 + 14h + 30min);  // short before the end of November
    bool died = false;
    scene.run_for(34min);
    scene.shop.world.files.crash_after(static_cast<std::uint64_t>(operations), [&] {
      died = true;
      scene.daemon.reset();
      scene.shop.world.crash();
    });
    scene.run_for(20min);
    if (!died) scene.kill();
    REQUIRE(scene.start());
    scene.run_for(3h);
    CHECK(scene.reports_from("2026-11-01") >= 2);
    // What had been taken when the power failed, and was not noted yet, is sent again.
    CHECK(scene.reports_from("2026-11-01") <= 4);
    const int before = scene.reports();
    scene.run_for(24h * 3);
    CHECK(scene.reports() == before);
  }
}

TEST_CASE("what happened is still reported when its events are gone") {
  Scene scene(407);
  scene.shop.config.daemon.keep_events = 24h * 30;
  REQUIRE(scene.start());
  scene.run_for(24h * 150);
  REQUIRE_FALSE(scene.shop.world.files.exists(path("/events/2026-11.jsonl")));
  const Report report = scene.report_since(24h * 200);
  REQUIRE(report.certificates.size() == 1);
  CHECK(static_cast<int>(report.certificates[0].tally.renewed) == scene.issued());
  REQUIRE(report.months.size() >= 7);
  const auto record_of = [&](const std::string& month) {
    const auto found = std::find_if(report.months.begin(), report.months.end(),
                                    [&](const ReportedMonth& each) { return each.month == month; });
    return found == report.months.end() ? MonthRecord::none : found->record;
  };
  CHECK(record_of("2026-10") == MonthRecord::none);
  CHECK(record_of("2026-11") == MonthRecord::kept_report);
  CHECK(record_of("2027-03") == MonthRecord::events);
}

TEST_CASE("the events of a month stay until its report is kept") {
  Scene scene(408);
  scene.shop.config.daemon.keep_events = 24h;
  REQUIRE(scene.start());
  scene.run_for(24h * 5);
  scene.kill();
  scene.run_for(24h * 20);  // to the 18th of December: older than keep_events
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(scene.shop.world.files.exists(path("/reports/2026-11.json")));
  CHECK(scene.report_since(24h * 40).certificates[0].tally.renewed == 1);
}
