#include "agent/core/event_log.h"

#include <utility>

namespace nolapse {
namespace {

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      break;
  }
  return "error";
}

}  // namespace

std::string to_json_line(const Event& event) {
  const nlohmann::json certificate =
      event.certificate.empty() ? nlohmann::json(nullptr) : nlohmann::json(event.certificate);
  nlohmann::json line{{"at", acme::format_rfc3339(event.at)},
                      {"severity", name_of(event.severity)},
                      {"code", event.code},
                      {"certificate", certificate},
                      {"message", event.message}};
  if (!event.series.empty()) line["series"] = event.series;
  return acme::dump(line);
}

EventLog::EventLog(World world, const Store& store) : world_(world), store_(store) {}

EventStream::Reader EventLog::reader() {
  return [self = self_](const Event& event) {
    if (*self != nullptr) (*self)->note(event);
  };
}

void EventLog::note(const Event& event) {
  if (is_detail(event) || (month_is_full_ && event.severity == Severity::info)) return;
  if (waiting_count_ >= waiting_limit) {
    ++dropped_;
    return write_soon();
  }
  std::string& lines = waiting_[acme::format_rfc3339(event.at).substr(0, 7)];
  if (dropped_ > 0) {
    const Event loss{event.at,
                     {},
                     Severity::warning,
                     "EVENTS_LOST",
                     std::to_string(dropped_) + " event(s) could not be written"};
    lines += to_json_line(loss) + "\n";
    dropped_ = 0;
  }
  lines += to_json_line(event) + "\n";
  ++waiting_count_;
  write_soon();
}

// Later, so that what belongs together is written together.
void EventLog::write_soon() {
  if (writing_ || resting_) return;
  writing_ = true;
  world_.clock.start_timer(Duration{0}, [this] { write(); });
}

void EventLog::write() {
  Lines lines = std::exchange(waiting_, {});
  const std::size_t count = std::exchange(waiting_count_, 0);
  FileWork work;
  for (auto& [month, text] : lines) {
    if (!std::exchange(began_, true)) text.insert(0, "\n");
    for (FileOperation& operation : store_.append_events(month, text)) {
      work.push_back(std::move(operation));
    }
  }
  world_.files.run(std::move(work),
                   [this, lines = std::move(lines), count](Result<void> outcome) mutable {
                     wrote(std::move(lines), count, outcome.has_value());
                   });
}

void EventLog::wrote(Lines lines, std::size_t count, bool taken) {
  writing_ = false;
  if (taken) {
    if (!lines.empty()) {
      month_is_full_ = store_.size_of_events(lines.rbegin()->first) > month_limit;
    }
  } else if (rest(); waiting_count_ + count <= waiting_limit) {
    // Again later; perhaps a part of it twice, which a reader can see.
    for (auto& [month, text] : waiting_) lines[month] += text;
    waiting_ = std::move(lines);
    waiting_count_ += count;
  } else {
    dropped_ += count;
  }
  if (taken && waiting_count_ > 0) {
    writing_ = true;
    return write();
  }
  end_flushes();
}

void EventLog::rest() {
  resting_ = true;
  world_.clock.start_timer(std::chrono::minutes(1), [this] {
    resting_ = false;
    if (waiting_count_ > 0) write_soon();
  });
}

void EventLog::flush(std::function<void()> written) {
  flushes_.push_back(std::move(written));
  if (!writing_) world_.clock.start_timer(Duration{0}, [this] { end_flushes(); });
}

void EventLog::end_flushes() {
  if (writing_) return;
  for (const auto& written : std::exchange(flushes_, {})) written();
}

}  // namespace nolapse
