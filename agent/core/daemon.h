// The agent that never ends: looks at every certificate when it wants to be looked at, and sleeps
// in between. One timer at the next due moment; besides that only the heartbeat, and the clock
// when it is set.
//
// A new configuration is a new Daemon (and a new world): what was under way is gone on with from
// the disk, as after any other end of the process.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/agenda.h"
#include "agent/core/agent.h"
#include "agent/core/alerting.h"
#include "agent/core/daemon_health.h"
#include "agent/core/report_schedule.h"
#include "agent/core/self_test_watch.h"

namespace nolapse {

class Daemon {
 public:
  // No order and no hook takes that long; then the heartbeat ends, for somebody to come and look.
  static constexpr Duration stuck_after = std::chrono::hours(6);
  static constexpr Duration housekeeping_interval = std::chrono::hours(24);

  // The references must outlive it.
  Daemon(World world, const Config& config, EventStream& events, SolverFactory make_solver);

  // Before start(): without it no report comes by itself.
  void report_with(ReportTools tools) { report_tools_ = std::move(tools); }

  // Takes the lock (while somebody else holds it: says so and waits), sweeps the state directory,
  // and has the first heartbeat on disk when it reports. Then looks at every certificate. An error
  // where the state directory cannot be used.
  void start(Completion<void> done);

  // On behalf of a person, between the daemon's own work. After start(). As Agent::renew.
  void renew(RenewOptions options, std::function<void(std::vector<CertificateOutcome>)> done,
             std::function<void(const CertificateOutcome&)> each = nullptr);

  // As Agent::rehearse, between the daemon's own. After start().
  void rehearse(const std::vector<std::string>& names,
                std::function<void(std::vector<CertificateRehearsal>)> done);

  // As Agent::forget. After start().
  void forget(const std::string& name, Completion<void> done) {
    agent_.forget(name, std::move(done));
  }

  // As Agent::work_on_accounts. After start().
  void work_on_accounts(AccountAction action, const std::string& ca,
                        std::function<void(std::vector<AccountOutcome>)> done) {
    agent_.work_on_accounts(action, ca, std::move(done));
  }

  // As Agent::revoke; what is revoked is looked at, at once. After start().
  void revoke(RevocationRequest request, Completion<RevocationOutcome> done);

  // As Agent::check, with what only the daemon knows of itself, and what its own deep self-test
  // found last. What a deep one finds becomes what is known. After start().
  void check(const SelfTestRequest& request, std::function<void(Findings)> done);

  // As Alerting::silence. After start().
  void silence(Silence silence, Completion<void> done) {
    alerting_.silence(std::move(silence), std::move(done));
  }

  // As Alerting::channels_work. After start().
  void channels_work(const std::vector<std::string>& channels, Completion<void> done) {
    alerting_.channels_work(channels, std::move(done));
  }

  // Begins nothing new. `stopped` is called when nothing is under way any more, or after
  // `patience`; what is then under way the next start goes on with. renew() must not be called
  // any more.
  void stop(Duration patience, std::function<void()> stopped);

  // What whoever looks may be shown.
  DaemonVitals vitals() const;
  const SavedFindings& findings() const { return self_tests_.saved(); }
  const AlertState& alerts() const { return alerting_.state(); }

  const Store& store() const { return store_; }

  // Why the status page cannot be opened, for the self-tests; empty: it can.
  void note_status_page(std::string fault) { status_page_fault_ = std::move(fault); }

  // Called after each self-test, which takes memory for a moment.
  void on_self_tested(std::function<void()> self_tested) { self_tested_ = std::move(self_tested); }

  // What it is doing, in one line, for the service manager and for people.
  std::string summary() const;

 private:
  void wait_for_lock(const Error& held, const Completion<void>& done);
  void report_stopped();
  void look_at_all();
  void wake();
  void sleep();
  void looked(const CertificateOutcome& outcome);
  void look_at_the_other(const std::string& name);
  void housekeep();
  void self_test(SelfTestRequest request, std::function<void(Findings)> done);

  // daemon_rehearsing.cpp
  struct Rehearsing {
    std::optional<Time> renews_at;
    bool under_way = false;
    Time not_before{};  // where the CA wants us to wait, or the disk took nothing
    std::optional<std::uint64_t> random;
  };
  void plan_rehearsals(const CertificateOutcome& outcome);
  void plan_rehearsals(std::uint32_t entry);
  std::map<std::string, Time> next_rehearsals(std::uint32_t entry) const;
  void wake_rehearsals();
  void rehearsed(const std::vector<CertificateRehearsal>& outcomes);
  bool is_stuck();
  void beat(std::function<void()> done);
  void watch_the_clock();

  World world_;
  const Config& config_;
  EventStream& events_;
  Agent agent_;
  const Store& store_;
  Agenda agenda_;                                 // without those that are being worked on
  std::vector<std::string> names_;                // of the certificates, then of their standbys
  std::map<std::string, std::uint32_t> entries_;  // by name: the index there
  std::map<std::uint32_t, std::chrono::milliseconds> working_;  // since then, by uptime
  Agenda rehearsal_agenda_;                                     // likewise; of certificates only
  std::map<std::uint32_t, Rehearsing> rehearsing_;
  Time started_at_{};
  std::optional<Clock::TimerId> alarm_;
  std::map<std::string, Time> next_looks_;  // as planned at the last look, by name
  Alerting alerting_;
  SelfTestWatch self_tests_;
  ReportTools report_tools_;
  ReportSchedule reports_;
  Time started_{};
  std::string configuration_;  // as it was on the disk then
  bool waits_for_lock_ = false;
  std::string status_page_fault_;
  const std::chrono::milliseconds begun_at_;  // by uptime, as the next two
  std::optional<std::chrono::milliseconds> up_since_;
  std::optional<std::chrono::milliseconds> beat_at_;
  Time boot_{};  // when the uptime was zero, by the wall clock
  std::function<void()> stopped_;
  std::function<void()> self_tested_;
};

}  // namespace nolapse
