#include "agent/front/status_page.h"

#include <algorithm>

#include "agent/front/json_output.h"
#include "agent/front/metrics.h"
#include "agent/front/report_output.h"

namespace nolapse {
namespace {

constexpr Duration reported = std::chrono::hours(24 * 30);
constexpr Duration retry = std::chrono::seconds(30);
// A page is kept that long, or ten times of what it took: who asks faster gets the same.
constexpr Duration shortest_keep = std::chrono::seconds(1);

constexpr unsigned status_ok = 200;
constexpr unsigned status_not_found = 404;
constexpr unsigned status_unavailable = 503;

}  // namespace

StatusPage::StatusPage(EventLoop& loop, World world, const Config& config, EventStream& events,
                       Daemon& daemon, ReadPart read_part, Time process_started)
    : loop_(loop),
      world_(world),
      config_(config),
      events_(events),
      daemon_(daemon),
      read_part_(std::move(read_part)),
      process_started_(process_started),
      counts_(std::make_shared<std::array<std::uint64_t, 3>>()),
      watch_(world, config, daemon.store(), events),
      worker_(loop, 1) {
  pages_ = {
      {"/", {"text/html; charset=utf-8", &StatusPage::prepare_report, true}},
      {"/metrics", {metrics_content_type, &StatusPage::prepare_metrics, false}},
      {"/api/v1/certificates",
       {"application/json; charset=utf-8", &StatusPage::prepare_certificates, true}},
  };
  events.add_reader([counts = counts_](const Event& event) {
    if (!is_detail(event)) ++(*counts)[static_cast<std::size_t>(event.severity)];
  });
}

// ---- the listener

void StatusPage::open(UniqueFd inherited) {
  const std::string& listen = config_.daemon.status_listen;
  if (listen.empty()) return;
  auto opened = StatusListener::open(
      loop_, listen, std::move(inherited),
      [this](const std::string& path, const StatusListener::Reply& reply) { answer(path, reply); });
  const std::string fault = opened ? std::string() : opened.error().message;
  daemon_.note_status_page(fault);
  if (opened) {
    listener_ = std::move(*opened);
    return events_.emit(Severity::info, {}, "STATUS_PAGE_OPEN",
                        "the status page is at http://" + listen + "/");
  }
  if (std::exchange(fault_, fault) != fault) {
    events_.emit(Severity::warning, {}, opened.error().code,
                 "status page: " + fault + "; trying again every " + acme::format_duration(retry));
  }
  loop_.start_timer(retry, [this] { open({}); });
}

void StatusPage::start() {
  if (!config_.daemon.status_listen.empty()) watch_.start();
}

UniqueFd StatusPage::stop_accepting() {
  return listener_ ? listener_->stop_accepting() : UniqueFd();
}

// ---- requests

void StatusPage::answer(const std::string& path, const StatusListener::Reply& reply) {
  if (path == "/healthz") return reply(health());
  const auto found = pages_.find(path);
  if (found == pages_.end()) {
    return reply(plain_page(status_not_found,
                            "there is nothing here; try /, /metrics, /healthz or "
                            "/api/v1/certificates"));
  }
  Page& page = found->second;
  watch_.somebody_looks();
  if (page.needs_a_look && !watch_.as_of()) {
    return reply(plain_page(status_unavailable,
                            "the daemon has just begun and looks at the certificates; try again "
                            "in a moment"));
  }
  if (page.body) return reply({status_ok, page.content_type, page.body});
  page.waiting.push_back(reply);
  if (page.waiting.size() == 1) write(page);
}

PageReply StatusPage::health() const {
  const std::string ailment = ailment_of(daemon_.vitals(), config_.daemon);
  if (ailment.empty()) return plain_page(status_ok, "ok");
  return plain_page(status_unavailable, ailment);
}

void StatusPage::write(Page& page) {
  const auto begun = loop_.uptime();
  (this->*page.prepare)([this, &page, begun](Writer writer) {
    worker_.run(std::move(writer), [this, &page, begun](std::string body) {
      written(page, std::move(body), loop_.uptime() - begun);
    });
  });
}

void StatusPage::written(Page& page, std::string body, std::chrono::milliseconds took) {
  page.body = std::make_shared<const std::string>(std::move(body));
  loop_.start_timer(std::max<Duration>(shortest_keep, 10 * took), [&page] { page.body.reset(); });
  for (const auto& reply : std::exchange(page.waiting, {})) {
    reply({status_ok, page.content_type, page.body});
  }
}

// ---- what is on them

void StatusPage::prepare_report(std::function<void(Writer)> then) {
  ReportRequest request;
  request.until = world_.clock.now();
  request.since = request.until - reported;
  request.read_part = read_part_;
  request.statuses.emplace();
  for (const KnownStatusPointer& known : watch_.certificates()) {
    request.statuses->push_back(known->status);
  }
  request.watched.emplace();
  for (const KnownWatchPointer& places : watch_.watched()) {
    request.watched->insert(request.watched->end(), places->begin(), places->end());
  }
  collect_report(world_, config_, std::move(request),
                 [then = std::move(then), as_of = *watch_.as_of()](Report report) {
                   report.made_at = as_of;
                   auto shared = std::make_shared<const Report>(std::move(report));
                   then([shared] { return report_page(*shared, PageKind::live); });
                 });
}

void StatusPage::prepare_metrics(std::function<void(Writer)> then) {
  const Time now = world_.clock.now();
  const DaemonVitals vitals = daemon_.vitals();
  // Copied once for each self-test: there may be very many.
  const SavedFindings& findings = daemon_.findings();
  if (!findings_ || findings_->checked_at != findings.checked_at ||
      findings_->findings.size() != findings.findings.size()) {
    findings_ = std::make_shared<const SavedFindings>(findings);
  }
  MetricsInput input;
  input.version = NOLAPSE_VERSION;
  input.process_started = process_started_;
  if (vitals.beat_at) input.heartbeat_at = now - (vitals.now - *vitals.beat_at);
  input.check_interval = config_.daemon.check_interval;
  input.deep_check_interval = config_.daemon.deep_check_interval;
  input.certificates_configured = config_.certificates.size();
  input.events = *counts_;
  input.findings = findings_;
  input.alerts = figures_of(daemon_.alerts(), config_.alerts, now);
  input.as_of = watch_.as_of();
  input.certificates = watch_.certificates();
  input.watched = watch_.watched();
  then([input = std::move(input)] { return render_metrics(input); });
}

void StatusPage::prepare_certificates(std::function<void(Writer)> then) {
  then([as_of = *watch_.as_of(), known = watch_.certificates(), watched = watch_.watched()] {
    return known_status_document(known, watched, as_of);
  });
}

}  // namespace nolapse
