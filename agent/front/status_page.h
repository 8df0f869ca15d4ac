// The status page of the daemon, for browsers and programs: read-only, answered from what the
// daemon knows, at once and however many ask. Pages are written on a thread of their own, because
// those of ten thousand certificates take longer than the loop may stand still; who asks meanwhile
// gets the same page.
//
//   /                      for people: the report of the last thirty days
//   /metrics               for Prometheus
//   /healthz               does the daemon work? About the certificates it says nothing
//   /api/v1/certificates   the document of `nolapse status --json`, and of when it is
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/daemon.h"
#include "agent/core/report_collection.h"
#include "agent/core/status_watch.h"
#include "agent/world/status_listener.h"
#include "agent/world/worker_pool.h"

namespace nolapse {

class StatusPage {
 public:
  // The references must outlive it.
  StatusPage(EventLoop& loop, World world, const Config& config, EventStream& events,
             Daemon& daemon, ReadPart read_part, Time process_started);

  // Opens the listener, where one is configured; one that cannot be opened is told of and tried
  // again. `inherited` listens there already; none: an empty one.
  void open(UniqueFd inherited);
  // The daemon has the state directory: there is something to look at.
  void start();
  void stop() { watch_.stop(); }

  // For whoever comes next; an empty one where nothing is open.
  UniqueFd stop_accepting();
  bool has_connections() const { return listener_ && listener_->has_connections(); }

 private:
  // Called on the worker, so that it may only hold what nobody changes.
  using Writer = std::function<std::string()>;
  struct Page {
    const char* content_type;
    void (StatusPage::*prepare)(std::function<void(Writer)> then);
    bool needs_a_look;  // at the certificates; else it says something without it, too
    std::shared_ptr<const std::string> body = {};  // for a moment
    std::vector<StatusListener::Reply> waiting = {};
  };

  void answer(const std::string& path, const StatusListener::Reply& reply);
  PageReply health() const;
  void write(Page& page);
  void written(Page& page, std::string body, std::chrono::milliseconds took);
  // Gather on the loop what a page is written from.
  void prepare_report(std::function<void(Writer)> then);
  void prepare_metrics(std::function<void(Writer)> then);
  void prepare_certificates(std::function<void(Writer)> then);

  EventLoop& loop_;
  World world_;
  const Config& config_;
  EventStream& events_;
  Daemon& daemon_;
  const ReadPart read_part_;
  const Time process_started_;
  std::shared_ptr<std::array<std::uint64_t, 3>> counts_;  // of events, by Severity
  std::shared_ptr<const SavedFindings> findings_;         // those known when a page wanted them
  StatusWatch watch_;
  std::map<std::string, Page> pages_;  // by path
  std::string fault_;                  // of the listener, as it was told
  WorkerPool worker_;
  std::unique_ptr<StatusListener> listener_;  // ends first: it calls the others
};

}  // namespace nolapse
