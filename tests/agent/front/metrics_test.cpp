// The format as Prometheus reads it, and that it is written fast enough for ten thousand.
#include "agent/front/metrics.h"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <sstream>

using namespace nolapse;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-27T09:00:00Z");  // 1795770000

EndpointState endpoint(const std::string& where, Verdict verdict, std::optional<Time> not_after) {
  EndpointState state;
  state.endpoint = where;
  state.address = "192.0.2.1";
  state.verdict = verdict;
  state.not_after = not_after;
  return state;
}

KnownStatus shop(const std::string& name = "shop") {
  KnownStatus known;
  known.status.name = name;
  known.status.serving = Serving::wrong;
  known.status.renewal = RenewalHealth::failing;
  known.status.failures = 3;
  known.status.next_attempt = now + std::chrono::hours(1);
  acme::Certificate leaf;
  leaf.not_before = now - std::chrono::hours(24);
  leaf.not_after = now + std::chrono::hours(24);
  known.status.generation.emplace();
  known.status.generation->chain = {leaf};
  known.status.endpoints = {endpoint("shop.example:443", Verdict::wrong, now)};
  known.succeeded_at = now - std::chrono::hours(24);
  known.rehearsals["letsencrypt"] = {now, RehearsalResult::failed, {}, {}, false, {}, {}, {}};
  return known;
}

MetricsInput input_of(std::vector<KnownStatus> certificates) {
  MetricsInput input;
  input.version = "1.2.3";
  input.process_started = now;
  input.as_of = now;
  for (KnownStatus& known : certificates) {
    input.certificates.push_back(std::make_shared<const KnownStatus>(std::move(known)));
  }
  return input;
}

std::multiset<std::string> lines_of(const std::string& text) {
  std::multiset<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

}  // namespace

TEST_CASE("each fact about a certificate is a line") {
  const auto lines = lines_of(render_metrics(input_of({shop()})));
  for (const char* line : {
           "nolapse_build_info{version=\"1.2.3\"} 1",
           "process_start_time_seconds 1795770000",
           "nolapse_status_timestamp_seconds 1795770000",
           "nolapse_certificate_not_after_timestamp_seconds{certificate=\"shop\","
           "series=\"in_use\"} 1795856400",
           "nolapse_certificate_not_before_timestamp_seconds{certificate=\"shop\","
           "series=\"in_use\"} 1795683600",
           "nolapse_certificate_serving{certificate=\"shop\",state=\"wrong\"} 1",
           "nolapse_certificate_renewal{certificate=\"shop\",state=\"failing\"} 1",
           "nolapse_certificate_last_success_timestamp_seconds{certificate=\"shop\"} 1795683600",
           "nolapse_certificate_next_attempt_timestamp_seconds{certificate=\"shop\"} 1795773600",
           "nolapse_certificate_failures{certificate=\"shop\"} 3",
           "nolapse_rehearsal_timestamp_seconds{certificate=\"shop\",ca=\"letsencrypt\","
           "result=\"failed\"} 1795770000",
           "nolapse_endpoint_not_after_timestamp_seconds{certificate=\"shop\","
           "endpoint=\"shop.example:443\",address=\"192.0.2.1\"} 1795770000",
           "nolapse_endpoint_ok{certificate=\"shop\",endpoint=\"shop.example:443\","
           "address=\"192.0.2.1\"} 0",
       }) {
    CAPTURE(line);
    CHECK(lines.count(line) == 1);
  }
}

TEST_CASE("what is not known has no line, and no time is shown as zero") {
  MetricsInput input = input_of({{}});
  input.as_of.reset();
  const std::string text = render_metrics(input);
  for (const char* name : {"\nnolapse_heartbeat", "\nnolapse_status_timestamp",
                           "\nnolapse_certificate_not_after", "\nnolapse_certificate_last_success",
                           "\nnolapse_endpoint", "\nnolapse_self_test_timestamp"}) {
    CAPTURE(name);
    CHECK(text.find(name) == std::string::npos);
  }
}

TEST_CASE("a standby is a series of its own") {
  KnownStatus known = shop();
  known.status.standby = std::make_shared<const CertificateStatus>(known.status);
  const auto lines = lines_of(render_metrics(input_of({known})));
  CHECK(lines.count("nolapse_certificate_not_after_timestamp_seconds{certificate=\"shop\","
                    "series=\"standby\"} 1795856400") == 1);
}

TEST_CASE("labels are escaped, and octets that are no text do not spoil the page") {
  KnownStatus known = shop();
  known.status.endpoints = {endpoint("a\"b\\c\nd\xff", Verdict::ok, {})};
  const auto lines = lines_of(render_metrics(input_of({known})));
  CHECK(lines.count("nolapse_endpoint_ok{certificate=\"shop\",endpoint=\"a\\\"b\\\\c?d?\","
                    "address=\"192.0.2.1\"} 1") == 1);
}

TEST_CASE("an endpoint that is named twice is one line, and the worse counts") {
  for (const auto& [first, second] :
       {std::pair(Verdict::ok, Verdict::expired), std::pair(Verdict::expired, Verdict::ok)}) {
    KnownStatus known = shop();
    known.status.endpoints = {endpoint("shop.example:443", first, now),
                              endpoint("shop.example:443", second, now)};
    const std::string text = render_metrics(input_of({known}));
    CHECK(lines_of(text).count("nolapse_endpoint_ok{certificate=\"shop\",endpoint="
                               "\"shop.example:443\",address=\"192.0.2.1\"} 0") == 1);
    CHECK(text.find("address=\"192.0.2.1\"} 1\n") == std::string::npos);
  }
}

TEST_CASE("findings are counted by code, alerts and channels by what they are") {
  SavedFindings saved;
  saved.checked_at = now;
  const Finding finding{"HOOK_MISSING", "shop", "target a", FindingSeverity::error, {}, {}, {}, {}};
  saved.findings = {finding, finding};
  AlertState state;
  state.open = {{finding, now, {}}};
  state.queue = {{"mail", AlertNews::raised, finding, now}, {"gone", {}, finding, now}};
  state.channels["mail"] = {{}, {}, now, 4, "refused"};
  state.silences = {{"shop", now + std::chrono::hours(1), ""}, {"other", now, ""}};
  AlertsConfig config;
  config.channels = {{"mail", "email"}, {"hook", "webhook"}};
  MetricsInput input = input_of({});
  input.findings = std::make_shared<const SavedFindings>(saved);
  input.alerts = figures_of(state, config, now);
  const auto lines = lines_of(render_metrics(input));
  for (const char* line :
       {"nolapse_findings{code=\"HOOK_MISSING\",severity=\"error\",certificate=\"shop\"} 2",
        "nolapse_self_test_timestamp_seconds{depth=\"cheap\"} 1795770000",
        "nolapse_alerts_open{severity=\"error\"} 1", "nolapse_alerts_open{severity=\"warning\"} 0",
        "nolapse_alert_silences 1", "nolapse_alert_queue_length{channel=\"mail\"} 1",
        "nolapse_alert_queue_length{channel=\"hook\"} 0",
        "nolapse_alert_channel_failures{channel=\"mail\"} 4",
        "nolapse_alert_channel_failing_since_timestamp_seconds{channel=\"mail\"} 1795770000"}) {
    CAPTURE(line);
    CHECK(lines.count(line) == 1);
  }
}

TEST_CASE("ten thousand certificates are written in a moment") {
  std::vector<KnownStatus> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(shop("shop-" + std::to_string(i)));
  const MetricsInput input = input_of(std::move(many));
  const auto begun = std::chrono::steady_clock::now();
  const std::string text = render_metrics(input);
  const auto took = std::chrono::steady_clock::now() - begun;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  MESSAGE("octets: ", text.size(), ", ms: ", milliseconds);
  CHECK(text.size() > 5'000'000);
  // A slow machine, a sanitizer and others that run beside it: a hundred times of what it takes.
  CHECK(took < std::chrono::seconds(5));
}

TEST_CASE("what somebody else renews has the same lines, and its files their own") {
  acme::Certificate leaf;
  leaf.not_after = now;
  std::vector<WatchedCertificate> places(3);
  for (WatchedCertificate& place : places) place.watch = "theirs";
  places[0].endpoint = "theirs.example:443";
  places[0].address = "192.0.2.1";
  places[0].leaf = leaf;
  places[0].state = WatchedState::good;
  places[1].endpoint = "theirs.example:25!smtp";
  places[2].file = "/etc/ssl/theirs.pem";
  places[2].leaf = leaf;
  places[2].state = WatchedState::expired;
  MetricsInput input = input_of({});
  input.watched = {std::make_shared<const std::vector<WatchedCertificate>>(places),
                   std::make_shared<const std::vector<WatchedCertificate>>()};
  const auto lines = lines_of(render_metrics(input));
  for (const char* line : {"nolapse_endpoint_not_after_timestamp_seconds{certificate=\"theirs\","
                           "endpoint=\"theirs.example:443\",address=\"192.0.2.1\"} 1795770000",
                           "nolapse_endpoint_ok{certificate=\"theirs\","
                           "endpoint=\"theirs.example:443\",address=\"192.0.2.1\"} 1",
                           "nolapse_endpoint_ok{certificate=\"theirs\","
                           "endpoint=\"theirs.example:25!smtp\",address=\"\"} 0",
                           "nolapse_file_not_after_timestamp_seconds{certificate=\"theirs\","
                           "file=\"/etc/ssl/theirs.pem\"} 1795770000",
                           "nolapse_file_ok{certificate=\"theirs\","
                           "file=\"/etc/ssl/theirs.pem\"} 0"}) {
    CAPTURE(line);
    CHECK(lines.count(line) == 1);
  }
}
