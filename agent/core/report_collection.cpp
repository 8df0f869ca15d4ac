#include "agent/core/report_collection.h"

#include <algorithm>

#include "agent/core/own_request.h"
#include "agent/core/proven_parts.h"
#include "agent/core/status_collection.h"

namespace nolapse {
namespace {

// Each takes a few milliseconds at most.
constexpr std::size_t part_size = 128 << 10;
constexpr std::size_t certificates_at_once = 4;
// Of one certificate; what was before is of no use in a picture.
constexpr std::size_t most_generations = 8;
// A kept report of tens of thousands of certificates is smaller.
constexpr std::size_t largest_kept_report = 64 << 20;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

class Collection : public std::enable_shared_from_this<Collection> {
 public:
  Collection(World world, const Config& config, ReportRequest&& request,
             std::function<void(Report)> done)
      : world_(world),
        config_(config),
        store_(config.state_directory, world.files),
        request_(std::move(request)),
        done_(std::move(done)),
        input_{config, {}, {}, {}, {}, {}, {request_.since, request_.until}, {}, {}, {}} {
    if (!request_.read_part) request_.read_part = read_part_of(world.files);
    input_.now = world.clock.now();
    months_ = months_of(request_.since, request_.until);
  }

  void start() {
    if (request_.statuses) {
      input_.statuses = std::move(*request_.statuses);
      return later(&Collection::next_month);
    }
    collect_weighed_status(
        world_, config_, {},
        [self = shared_from_this()](std::vector<CertificateStatus> statuses) {
          self->input_.statuses = std::move(statuses);
          self->next_month();
        },
        std::move(request_.configuration_doubts));
  }

 private:
  void later(void (Collection::*step)()) {
    world_.clock.start_timer(Duration{0}, [self = shared_from_this(), step] { (*self.*step)(); });
  }

  // ---- the events, month by month

  void next_month() {
    if (month_ == months_.size()) return later(&Collection::next_certificates);
    record_ = {months_[month_++], MonthRecord::none, 0};
    offset_ = 0;
    rest_.clear();
    path_ = store_.events_path(record_.month);
    if (!world_.files.status(path_)) return take_kept_report();
    record_.record = MonthRecord::events;
    read_events();
  }

  void read_events() {
    const auto part = request_.read_part(path_, offset_, part_size);
    if (!part) {
      input_.problems.push_back(part.error().message);
    } else {
      offset_ += part->size();
      rest_ += *part;
    }
    const bool ends = !part || part->empty();
    take_lines(ends);
    if (!ends) return later(&Collection::read_events);
    input_.history.note_month(record_);
    later(&Collection::next_month);
  }

  void take_lines(bool ends) {
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = rest_.find('\n', begin);
      if (end == std::string::npos && (!ends || begin == rest_.size())) break;
      take_line(std::string_view(rest_).substr(
          begin, end == std::string::npos ? std::string::npos : end - begin));
      begin = end == std::string::npos ? rest_.size() : end + 1;
    }
    rest_.erase(0, begin);
  }

  void take_line(std::string_view line) {
    if (line.empty()) return;
    if (const auto event = parse_event_line(line)) {
      input_.history.take(*event);
    } else {
      ++record_.torn_lines;
    }
  }

  void take_kept_report() {
    std::string text;
    path_ = store_.report_path(record_.month, "json");
    if (world_.files.status(path_)) {
      for (;;) {
        const auto part = request_.read_part(path_, text.size(), part_size);
        if (!part) input_.problems.push_back(part.error().message);
        if (!part || part->empty() || text.size() > largest_kept_report) break;
        text += *part;
      }
      const auto document = nlohmann::json::parse(text, nullptr, false);
      if (document.is_object()) {
        record_.record = MonthRecord::kept_report;
        input_.history.take_kept_report(document);
      } else {
        input_.problems.push_back(path_ + ": it is no report");
      }
    }
    input_.history.note_month(record_);
    later(&Collection::next_month);
  }

  // ---- the certificates

  void next_certificates() {
    const std::size_t end = std::min(certificate_ + certificates_at_once, input_.statuses.size());
    for (; certificate_ < end; ++certificate_) {
      const CertificateStatus& status = input_.statuses[certificate_];
      input_.records[status.name] = records_of(status);
    }
    if (certificate_ < input_.statuses.size()) return later(&Collection::next_certificates);
    if (request_.watched) return take_watched(*request_.watched);
    collect_watched(world_, config_, {},
                    [self = shared_from_this()](const std::vector<WatchedCertificate>& watched) {
                      self->take_watched(watched);
                    });
  }

  CertificateRecords records_of(const CertificateStatus& status) const {
    CertificateRecords records;
    const auto numbers = store_.generation_numbers(status.name);
    const std::size_t count = numbers ? numbers->size() : 0;
    for (std::size_t i = count > most_generations ? count - most_generations : 0; i < count; ++i) {
      const bool newest = status.generation && status.generation->number == (*numbers)[i];
      const auto loaded = newest ? Result<Generation>(*status.generation)
                                 : store_.load_generation(status.name, (*numbers)[i]);
      if (!loaded) continue;
      const acme::Certificate& leaf = loaded->leaf();
      records.generations.push_back(
          {loaded->number, loaded->ca,
           loaded->issued_at == Time{} ? leaf.not_before : loaded->issued_at, leaf.not_before,
           leaf.not_after});
    }
    if (auto rehearsals = store_.load_rehearsals(status.name)) {
      records.rehearsals = std::move(*rehearsals);
    }
    add_plan(status, records);
    return records;
  }

  void add_plan(const CertificateStatus& status, CertificateRecords& records) const {
    const CertificateSpec* const spec = config_.find_certificate(status.name);
    const auto schedule = store_.load_schedule(status.name);
    if (spec == nullptr || !status.generation || !schedule) return;
    RenewalInput renewal{*spec, config_};
    renewal.newest = &*status.generation;
    renewal.now = input_.now;
    if (schedule->renewal_info) renewal.renewal_info = &*schedule->renewal_info;
    const Due due = next_renewal(renewal);
    records.planned_renewal =
        due.by_time ? due.at : renewal_point(status.generation->leaf(), spec->renew_before);
    records.proven_at = schedule->proven_at;
    if (!schedule->proven.empty()) {
      records.changed = changed_parts(schedule->proven, parts_of(*spec, config_, world_.files));
    }
  }

  // ---- the rest

  void take_watched(const std::vector<WatchedCertificate>& watched) {
    for (const WatchedCertificate& each : watched) add_watched(each);
    finish();
  }

  void add_watched(const WatchedCertificate& watched) {
    ReportedWatch reported{
        watched.watch, watched.place(), watched.is_of_use(), watched.detail, {}, {}, {}};
    if (watched.leaf) {
      reported.issuer = watched.leaf->issuer_common_name;
      reported.not_before = watched.leaf->not_before;
      reported.not_after = watched.leaf->not_after;
    }
    input_.watched.push_back(std::move(reported));
  }

  void finish() {
    if (auto findings = store_.load_findings()) {
      input_.findings = std::move(*findings);
    } else {
      input_.problems.push_back(findings.error().message);
    }
    if (auto alerts = store_.load_alerts()) {
      input_.alerts = std::move(*alerts);
    } else {
      input_.problems.push_back(alerts.error().message);
    }
    input_.host = first_line(world_.files.read("/etc/hostname").value_or(""));
    if (input_.host.empty()) input_.host = "localhost";
    input_.now = world_.clock.now();
    done_(make_report(std::move(input_)));
  }

  World world_;
  const Config& config_;
  const Store store_;
  ReportRequest request_;
  std::function<void(Report)> done_;
  ReportInput input_;
  std::vector<std::string> months_;
  std::size_t month_ = 0;
  std::size_t certificate_ = 0;
  ReportedMonth record_;
  std::string path_;
  std::uint64_t offset_ = 0;
  std::string rest_;  // of a line whose end was not read yet
};

}  // namespace

ReadPart read_part_of(const Files& files) {
  return [&files](const std::string& path, std::uint64_t offset, std::size_t size) {
    auto text = files.read(path);
    if (!text) return text;
    return Result<std::string>(offset < text->size() ? text->substr(offset, size) : std::string());
  };
}

void collect_report(World world, const Config& config, ReportRequest&& request,
                    std::function<void(Report)> done) {
  std::make_shared<Collection>(world, config, std::move(request), std::move(done))->start();
}

}  // namespace nolapse
