#include "agent/core/report_schedule.h"

#include <algorithm>

namespace nolapse {
namespace {

// Of a file of events: its first whole line is in there.
constexpr std::size_t first_part = 64 << 10;

}  // namespace

ReportSchedule::ReportSchedule(World world, const Config& config, const Store& store,
                               EventStream& events, Alerting& alerting)
    : world_(world), config_(config), store_(store), events_(events), alerting_(alerting) {}

void ReportSchedule::start(ReportTools tools) {
  tools_ = std::move(tools);
  if (!tools_.render) return;
  if (!tools_.read_part) tools_.read_part = read_part_of(world_.files);
  sleep(first_wait);
}

// Short, so that a clock that was set is noticed.
void ReportSchedule::sleep(Duration duration) {
  world_.clock.start_timer(std::min(duration, longest_sleep), [this] { wake(); });
}

void ReportSchedule::wake() {
  if (stopped_) return;
  tasks_ = due_tasks();
  next_task();
}

std::deque<ReportSchedule::Task> ReportSchedule::due_tasks() const {
  const Time now = world_.clock.now() - settling;
  std::deque<Task> tasks;
  for (const std::string& month : store_.event_months()) {
    const auto span = month_span(month);
    if (span && span->until <= now && !store_.has_report(month)) tasks.push_back({*span, false});
  }
  if (config_.alerts.report == ReportPeriod::never) return tasks;
  const ReportSpan span =
      config_.alerts.report == ReportPeriod::weekly ? last_week(now) : last_month(now);
  const auto first = first_event();
  const auto& told = alerting_.state().reported_until;
  // A clock that was ahead for a while must not silence the reports of years.
  const bool is_told = told && span.until <= *told && *told <= now + settling;
  if (is_told || !first || *first >= span.until) return tasks;
  std::erase_if(tasks, [&](const Task& task) { return task.span.id == span.id; });
  tasks.push_back({span, true});
  return tasks;
}

// Before it there is nothing to report.
std::optional<Time> ReportSchedule::first_event() const {
  for (const std::string& month : store_.event_months()) {
    const auto part = tools_.read_part(store_.events_path(month), 0, first_part);
    const auto span = month_span(month);
    if (!part && span) return span->since;  // there is something, whatever it says
    for (std::size_t at = 0; part && at < part->size();) {
      const std::size_t end = std::min(part->find('\n', at), part->size());
      const auto event = parse_event_line(std::string_view(*part).substr(at, end - at));
      if (event) return event->at;
      at = end + 1;
    }
  }
  return {};
}

void ReportSchedule::next_task() {
  if (stopped_) return;
  if (tasks_.empty()) {
    const FileWork old = store_.remove_old_reports();
    if (!old.empty()) world_.files.run(old, [](const Result<void>&) {});
    const Time now = world_.clock.now();
    return sleep(next_boundary(now) + settling - now + std::chrono::seconds(1));
  }
  const Task task = tasks_.front();
  tasks_.pop_front();
  ReportRequest request;
  request.since = task.span.since;
  request.until = task.span.until;
  request.read_part = tools_.read_part;
  collect_report(world_, config_, std::move(request),
                 [this, task](const Report& report) { made(task, report); });
}

void ReportSchedule::made(const Task& task, const Report& report) {
  if (stopped_) return;
  RenderedReport rendered = tools_.render(report);
  ReportFiles files{rendered.document, {}, {}};
  if (task.send) {
    files.text = rendered.text;
    files.page = std::move(rendered.page);
  }
  world_.files.run(store_.save_report(task.span.id, std::move(files)),
                   [this, task, rendered = std::move(rendered)](const Result<void>& written) {
                     kept(task, rendered, written);
                   });
}

void ReportSchedule::kept(const Task& task, const RenderedReport& rendered,
                          const Result<void>& written) {
  if (stopped_) return;
  if (!written) {
    events_.emit(Severity::warning, {}, "REPORT_NOT_KEPT",
                 "the report of " + task.span.id + " could not be written: " +
                     written.error().message + "; it is made again in an hour");
    return sleep(retry);
  }
  if (task.send) {
    alerting_.send_report({task.span.id, rendered.headline, rendered.summary, task.span.until});
    events_.emit(Severity::info, {}, "REPORT_MADE",
                 "the report of " + task.span.id + " is " +
                     store_.report_path(task.span.id, "html") + ", and goes through the channels");
  }
  next_task();
}

}  // namespace nolapse
