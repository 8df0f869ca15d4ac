// A daemon in the shop's world: started, left alone for months, killed.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/daemon.h"
#include "agent/solvers/solvers.h"
#include "tests/simulation/shop.h"

namespace nolapse {

// One daemon at a time in the shop's world.
class DaemonScene {
 public:
  explicit DaemonScene(std::uint64_t seed, FakeCaSettings settings = {})
      : shop(seed, std::move(settings)) {
    shop.config.daemon.check_interval = std::chrono::hours(24);
    shop.config.daemon.rehearse_interval = Duration{0};
  }
  ~DaemonScene() { shop.world.clock.drop_all(); }

  // False where it does not come to its start within a minute.
  bool start() {
    events_ = std::make_unique<EventStream>(shop.world.clock);
    events_->add_reader([this](const Event& event) { events.push_back(event); });
    daemon = std::make_unique<Daemon>(shop.world.world(), shop.config, *events_, make_solver);
    daemon->report_with(report_tools);
    // Shared: a start that waits for a lock reports long after this has returned.
    const auto started = std::make_shared<std::optional<Result<void>>>();
    daemon->start([started](Result<void> outcome) { *started = std::move(outcome); });
    using namespace std::chrono_literals;
    shop.world.clock.run_until([&] { return started->has_value(); }, 1min);
    return *started && (*started)->has_value();
  }
  void kill() {
    daemon.reset();
    shop.world.kill();
  }
  void run_for(Duration duration) { shop.world.clock.run_for(duration); }
  bool run_until_event(const std::string& code, Duration limit) {
    const int before = count(code);
    return shop.world.clock.run_until([&] { return count(code) > before; }, limit);
  }
  int count(const std::string& code) const {
    return static_cast<int>(std::count_if(events.begin(), events.end(),
                                          [&](const Event& event) { return event.code == code; }));
  }
  int issued() const { return shop.ca.counters().certificates_issued; }
  Duration remaining() {
    const auto status = shop.status();
    return status.generation->leaf().not_after - shop.world.clock.now();
  }

  Shop shop;
  ReportTools report_tools;  // none: no reports come by themselves
  std::unique_ptr<Daemon> daemon;
  std::vector<Event> events;

 private:
  std::unique_ptr<EventStream> events_;
};

}  // namespace nolapse
