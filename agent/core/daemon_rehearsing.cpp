// The daemon's rehearsals: planned anew with each look at a certificate, because a look tells when
// the certificate is renewed next, and after each rehearsal.
#include "agent/core/daemon.h"
#include "agent/core/rehearsal_schedule.h"
#include "agent/core/series.h"

namespace nolapse {
namespace {

// A disk that is full, or a CA that wants us to wait and does not say how long.
constexpr Duration pause = std::chrono::hours(1);

}  // namespace

void Daemon::rehearse(const std::vector<std::string>& names,
                      std::function<void(std::vector<CertificateRehearsal>)> done) {
  agent_.rehearse(names, {},
                  [this, done = std::move(done)](const std::vector<CertificateRehearsal>& all) {
                    rehearsed(all);
                    done(all);
                  });
}

void Daemon::plan_rehearsals(const CertificateOutcome& outcome) {
  if (is_standby(outcome.name) || config_.daemon.rehearse_interval == Duration{0}) return;
  const std::uint32_t entry = entries_.at(outcome.name);
  rehearsing_[entry].renews_at = outcome.renews_at;
  plan_rehearsals(entry);
}

void Daemon::plan_rehearsals(std::uint32_t entry) {
  Rehearsing& state = rehearsing_[entry];
  if (state.under_way) return;
  if (!state.random) state.random = world_.random.next();
  rehearsal_agenda_.remove(entry);
  std::optional<Time> first;
  for (const auto& [ca, at] : next_rehearsals(entry)) first = std::min(first.value_or(at), at);
  if (first) rehearsal_agenda_.set(entry, *first);
}

// By CA; without those where none is wanted.
std::map<std::string, Time> Daemon::next_rehearsals(std::uint32_t entry) const {
  const CertificateSpec& spec = *config_.find_certificate(names_[entry]);
  const Rehearsing& state = rehearsing_.at(entry);
  const auto newest = store_.newest_generation(spec.name);
  const auto records = store_.load_rehearsals(spec.name).value_or(RehearsalRecords{});
  const std::string configuration = digest_of(spec, config_);
  std::map<std::string, Time> moments;
  for (const std::string& name : spec.cas) {
    const CaConfig* ca = config_.find_ca(name);
    if (ca == nullptr || !newest || !*newest) continue;
    const auto last = records.find(name);
    RehearsalPlan plan{*ca, &**newest};
    if (last != records.end()) plan.last = &last->second;
    plan.configuration = configuration;
    plan.renews_at = state.renews_at;
    plan.interval = config_.daemon.rehearse_interval;
    plan.since = started_at_;
    plan.now = world_.clock.now();
    plan.random = *state.random;
    const auto at = next_rehearsal(plan);
    if (at) moments[name] = std::max(*at, state.not_before);
  }
  return moments;
}

void Daemon::wake_rehearsals() {
  const Time now = world_.clock.now();
  while (const auto due = rehearsal_agenda_.take_due(now)) {
    std::vector<std::string> cas;
    for (const auto& [ca, at] : next_rehearsals(*due)) {
      if (at <= now) cas.push_back(ca);
    }
    if (cas.empty()) {
      plan_rehearsals(*due);
      continue;
    }
    rehearsing_[*due].under_way = true;
    agent_.rehearse({names_[*due]}, cas,
                    [this, entry = *due](const std::vector<CertificateRehearsal>& outcomes) {
                      rehearsing_[entry].under_way = false;
                      rehearsed(outcomes);
                    });
  }
}

void Daemon::rehearsed(const std::vector<CertificateRehearsal>& outcomes) {
  const Time now = world_.clock.now();
  for (const CertificateRehearsal& outcome : outcomes) {
    const auto known = rehearsing_.find(entries_.at(outcome.name));
    if (known == rehearsing_.end()) continue;
    if (!outcome.saved) known->second.not_before = now + pause;
    for (const RehearsalOutcome& at_ca : outcome.cas) {
      if (!at_ca.waits()) continue;
      known->second.not_before = std::max(at_ca.error->retry_after.value_or(now), now + pause);
    }
    plan_rehearsals(known->first);
  }
  sleep();
}

}  // namespace nolapse
