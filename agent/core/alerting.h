// The daemon's alerts: follows the findings of the self-tests, keeps alerts.json, and delivers what
// is queued until each channel has taken it. Nothing here changes what a job does.
#pragma once

#include <set>

#include "agent/core/alert_delivery.h"
#include "agent/core/alert_rules.h"
#include "agent/core/event_stream.h"
#include "agent/core/store.h"

namespace nolapse {

class Alerting {
 public:
  // The references must outlive it.
  Alerting(World world, const Config& config, const Store& store, EventStream& events);

  void start();
  void stop() { stopped_ = true; }

  // After each self-test: all that is not fine.
  void follow(const std::vector<Finding>& findings);
  // Quiet about a certificate or a code. Durable when `done` is called.
  void silence(Silence silence, Completion<void> done);
  // These have just taken a test of somebody else's: what waits for them is sent at once. Durable
  // when `done` is called.
  void channels_work(const std::vector<std::string>& channels, Completion<void> done);
  // Through all channels that are for people. Until it is on the disk it may be lost.
  void send_report(const ReportNotice& notice);
  const AlertState& state() const { return state_; }

 private:
  void save_then(Completion<void> done);
  void save();
  void report_overflow(const AlertOverflow& overflow);
  void wake();
  void deliver_due();
  void received(const AlertReceipt& receipt);
  void ended(const AlertChannel& channel, const DeliveryEnd& end, bool is_news);
  void sleep();
  void ping_heartbeat();

  World world_;
  const Config& config_;
  const Store& store_;
  EventStream& events_;
  AlertState state_;
  std::map<std::string, bool> under_way_;  // by channel
  std::set<std::string> full_;             // channels whose queue was after the last self-test
  std::optional<Clock::TimerId> alarm_;
  // Whoever waits for the state to be on the disk; those of the save under way came before.
  std::vector<Completion<void>> unsaved_;
  bool saving_ = false;
  bool ping_is_due_ = false;  // once after each self-test
  bool heartbeat_failed_ = false;
  bool stopped_ = false;
};

}  // namespace nolapse
