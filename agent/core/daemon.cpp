#include "agent/core/daemon.h"

#include <algorithm>

#include "agent/core/expiry.h"
#include "agent/core/series.h"

namespace nolapse {
namespace {

constexpr Duration lock_retry = std::chrono::seconds(5);
// Several smaller steps add up to one: the two clocks do not drift against each other.
constexpr Duration clock_tolerance = std::chrono::minutes(1);

}  // namespace

Daemon::Daemon(World world, const Config& config, EventStream& events, SolverFactory make_solver)
    : world_(world),
      config_(config),
      events_(events),
      agent_(world, config, events, std::move(make_solver)),
      store_(agent_.store()),
      alerting_(world, config, store_, events),
      self_tests_(
          world, config, store_, events,
          [this](SelfTestRequest request, std::function<void(Findings)> done) {
            self_test(std::move(request), std::move(done));
          },
          [this](const std::vector<Finding>& findings) {
            alerting_.follow(findings);
            if (self_tested_) self_tested_();
          }),
      reports_(world, config, store_, events, alerting_),
      begun_at_(world.clock.uptime()) {
  for (const CertificateSpec& spec : config.certificates) names_.push_back(spec.name);
  for (const CertificateSpec& spec : config.certificates) {
    if (spec.standby) names_.push_back(standby_name(spec.name));
  }
  for (std::uint32_t entry = 0; entry < names_.size(); ++entry) entries_[names_[entry]] = entry;
}

// ---- beginning and end

void Daemon::start(Completion<void> done) {
  agent_.open("nolapse daemon", [this, done = std::move(done)](Result<void> opened) {
    if (!opened && opened.error().kind == ErrorKind::held) {
      return wait_for_lock(opened.error(), done);
    }
    if (!opened) return done(fail(opened.error()));
    boot_ = world_.clock.now() - world_.clock.uptime();
    started_at_ = world_.clock.now();
    up_since_ = world_.clock.uptime();
    world_.clock.on_step([this] { watch_the_clock(); });
    beat([this, done] {
      started_ = world_.clock.now();
      done({});
      if (config_.daemon.self_tests) {
        if (agent_.config_on_disk()) configuration_ = agent_.config_on_disk()->digest();
        alerting_.start();
        self_tests_.start();
        reports_.start(std::move(report_tools_));
      }
      housekeep();
      look_at_all();
    });
  });
}

void Daemon::wait_for_lock(const Error& held, const Completion<void>& done) {
  if (!waits_for_lock_) {
    events_.emit(Severity::warning, {}, held.code, held.message + "; waiting for it to end");
  }
  waits_for_lock_ = true;
  world_.clock.start_timer(lock_retry, [this, done] { start(done); });
}

void Daemon::stop(Duration patience, std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  self_tests_.stop();
  alerting_.stop();
  reports_.stop();
  if (alarm_) world_.clock.cancel_timer(*alarm_);
  agent_.finish([this] { report_stopped(); });
  world_.clock.start_timer(patience, [this] { report_stopped(); });
}

void Daemon::report_stopped() {
  if (stopped_) std::exchange(stopped_, nullptr)();
}

// ---- looking

void Daemon::look_at_all() {
  const Time now = world_.clock.now();
  for (const auto& [name, entry] : entries_) {
    if (!working_.contains(entry)) agenda_.set(entry, now);
  }
  wake();
}

void Daemon::wake() {
  while (const auto due = agenda_.take_due(world_.clock.now())) {
    RenewOptions options;
    options.names = {names_[*due]};
    options.by_daemon = true;
    working_[*due] = world_.clock.uptime();
    agent_.renew(
        std::move(options), [](const std::vector<CertificateOutcome>&) {},
        [this, entry = *due](const CertificateOutcome& outcome) {
          working_.erase(entry);
          looked(outcome);
        });
  }
  wake_rehearsals();
  sleep();
}

void Daemon::sleep() {
  if (alarm_) world_.clock.cancel_timer(*alarm_);
  alarm_.reset();
  auto next = agenda_.next();
  const auto rehearsal = rehearsal_agenda_.next();
  if (rehearsal && (!next || *rehearsal < *next)) next = rehearsal;
  if (!next || agent_.finishing()) return;
  const Duration until = std::max<Duration>(*next - world_.clock.now(), Duration{0});
  alarm_ = world_.clock.start_timer(until, [this] { wake(); });
}

void Daemon::renew(RenewOptions options, std::function<void(std::vector<CertificateOutcome>)> done,
                   std::function<void(const CertificateOutcome&)> each) {
  agent_.renew(std::move(options), std::move(done),
               [this, each = std::move(each)](const CertificateOutcome& outcome) {
                 looked(outcome);
                 if (each) each(outcome);
               });
}

void Daemon::revoke(RevocationRequest request, Completion<RevocationOutcome> done) {
  const std::string name = request.name;
  agent_.revoke(std::move(request),
                [this, name, done = std::move(done)](Result<RevocationOutcome> outcome) {
                  const auto entry = entries_.find(name);
                  const bool watched = entry != entries_.end() && !working_.contains(entry->second);
                  if (outcome && watched) agenda_.set(entry->second, world_.clock.now());
                  done(std::move(outcome));
                  sleep();
                });
}

void Daemon::looked(const CertificateOutcome& outcome) {
  const std::uint32_t entry = entries_.at(outcome.name);
  next_looks_[outcome.name] = outcome.next_look;
  if (!working_.contains(entry)) agenda_.set(entry, outcome.next_look);
  plan_rehearsals(outcome);
  if (outcome.issued) look_at_the_other(outcome.name);
  sleep();
}

void Daemon::check(const SelfTestRequest& request, std::function<void(Findings)> done) {
  self_test(request, [this, names = request.names, done = std::move(done)](Findings findings) {
    if (findings.deep) self_tests_.take_up(findings, names);
    DeepView view{config_, names};
    if (config_.daemon.self_tests) view.expected_since = started_;
    take_over_deep(findings, self_tests_.saved(), view);
    done(std::move(findings));
  });
}

void Daemon::self_test(SelfTestRequest request, std::function<void(Findings)> done) {
  DaemonView view;
  view.configuration = configuration_;
  view.next_looks = next_looks_;
  view.since = started_;
  view.status_page_fault = status_page_fault_;
  agent_.check(std::move(request), std::move(view),
               [this, done = std::move(done)](Findings findings) {
                 keep_since(findings.all, self_tests_.known(), findings.at);
                 done(std::move(findings));
               });
}

// A new certificate may be from the standby's CA; a new standby may be waited for.
void Daemon::look_at_the_other(const std::string& name) {
  const auto other = entries_.find(is_standby(name) ? certificate_of(name) : standby_name(name));
  if (other == entries_.end() || working_.contains(other->second)) return;
  agenda_.set(other->second, world_.clock.now());
}

// Once a day: what is too old goes, and what is no longer configured is still watched.
void Daemon::housekeep() {
  world_.clock.start_timer(housekeeping_interval, [this] { housekeep(); });
  agent_.tidy();
  const Time now = world_.clock.now();
  for (const std::string& name : agent_.orphans()) {
    const auto newest = store_.newest_generation(name);
    if (!newest || !*newest) continue;
    const acme::Certificate& leaf = (*newest)->leaf();
    const int step = expiry_step(leaf, {}, now, config_.alerts.expiry_days);
    events_.emit(step == 0   ? Severity::info
                 : step == 1 ? Severity::warning
                             : Severity::error,
                 name, "ORPHAN",
                 "its configuration is gone and nobody renews it; " + describe_expiry(leaf, now) +
                     "; `nolapse forget " + name + "` ends this message");
  }
}

// ---- the heartbeat

// It says that the loop turns, that the disk takes a write, and that no look hangs: an agenda that
// is not followed is the silence that this program exists to end.
void Daemon::beat(std::function<void()> done) {
  watch_the_clock();
  const Time now = world_.clock.now();
  world_.clock.start_timer(config_.daemon.heartbeat_interval, [this] { beat([] {}); });
  if (is_stuck()) return done();
  world_.files.run(store_.beat(now), [this, done = std::move(done)](Result<void> written) {
    if (!written) {
      events_.emit(Severity::error, {}, "HEARTBEAT_FAILED",
                   "the heartbeat could not be written: " + written.error().message);
    } else {
      beat_at_ = world_.clock.uptime();
    }
    done();
  });
}

bool Daemon::is_stuck() {
  for (const auto& [entry, since] : working_) {
    if (world_.clock.uptime() - since < stuck_after) continue;
    events_.emit(Severity::error, names_[entry], "STUCK",
                 "it has been worked on for " +
                     acme::format_duration(world_.clock.uptime() - since) +
                     "; the heartbeat is held back until that ends. Restarting nolapse is safe");
    return true;
  }
  return false;
}

// Every moment on the agenda was computed from the wall clock as it was then. Called when the
// clock says that it was set (also after a suspend, which moves neither clock against the other),
// and with each heartbeat, should a kernel not tell.
void Daemon::watch_the_clock() {
  const Duration step = world_.clock.now() - world_.clock.uptime() - boot_;
  if (step < clock_tolerance && -step < clock_tolerance) return;
  boot_ += step;
  events_.emit(Severity::warning, {}, "CLOCK_STEPPED",
               "the wall clock was set " +
                   acme::format_duration(step < Duration{0} ? -step : step) +
                   (step < Duration{0} ? " back" : " forward") + "; looking at every certificate");
  if (step > Duration{0}) agent_.follow_clock(step);
  look_at_all();
}

DaemonVitals Daemon::vitals() const {
  return {world_.clock.uptime(), begun_at_, up_since_, beat_at_, self_tests_.ended_at()};
}

std::string Daemon::summary() const {
  std::string text = std::to_string(config_.certificates.size()) + " certificate(s)";
  if (const std::size_t watched = config_.watches.size(); watched > 0) {
    text += " and " + std::to_string(watched) + " that somebody else renews";
  }
  if (agent_.running() > 0) text += ", working on " + std::to_string(agent_.running());
  if (const auto next = agenda_.next()) text += ", next look " + acme::format_rfc3339(*next);
  return text;
}

}  // namespace nolapse
