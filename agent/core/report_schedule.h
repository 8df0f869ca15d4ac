// The reports that come by themselves: after the end of each month (and each week, where that is
// wanted) the daemon makes the report of it, keeps it in reports/, and has it sent through the
// channels; once, over any number of restarts. A month that is past is kept also where nobody wants
// it sent, because its events go some day.
#pragma once

#include <deque>
#include <functional>

#include "agent/core/alerting.h"
#include "agent/core/report_collection.h"
#include "agent/core/report_period.h"

namespace nolapse {

// A report as it is kept and sent.
struct RenderedReport {
  std::string headline;  // one line
  std::string summary;   // a few
  std::string text;
  std::string page;
  std::string document;
};

// What the core does not do itself.
struct ReportTools {
  std::function<RenderedReport(const Report&)> render;  // empty: no reports are made
  ReadPart read_part;                                   // as in ReportRequest
};

class ReportSchedule {
 public:
  // The last events of a period are on the disk by then.
  static constexpr Duration settling = std::chrono::minutes(5);
  // After a start, which has better things to do first.
  static constexpr Duration first_wait = std::chrono::seconds(5);
  static constexpr Duration retry = std::chrono::hours(1);  // after a disk refused
  static constexpr Duration longest_sleep = std::chrono::hours(6);

  // The references must outlive it.
  ReportSchedule(World world, const Config& config, const Store& store, EventStream& events,
                 Alerting& alerting);

  // After Alerting::start(). Makes what is due, and what was missed.
  void start(ReportTools tools);
  void stop() { stopped_ = true; }

 private:
  struct Task {
    ReportSpan span;
    bool send = false;
  };

  void wake();
  std::deque<Task> due_tasks() const;
  std::optional<Time> first_event() const;
  void next_task();
  void made(const Task& task, const Report& report);
  void kept(const Task& task, const RenderedReport& rendered, const Result<void>& written);
  void sleep(Duration duration);

  World world_;
  const Config& config_;
  const Store& store_;
  EventStream& events_;
  Alerting& alerting_;
  ReportTools tools_;
  std::deque<Task> tasks_;
  bool stopped_ = false;
};

}  // namespace nolapse
