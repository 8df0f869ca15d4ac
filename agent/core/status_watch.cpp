#include "agent/core/status_watch.h"

#include <algorithm>

#include "agent/core/status_collection.h"

namespace nolapse {

StatusWatch::StatusWatch(World world, const Config& config, const Store& store, EventStream& events)
    : world_(world), config_(config), store_(store) {
  for (const CertificateSpec& spec : config.certificates) configured_[spec.name] = &spec;
  for (const WatchSpec& watch : config.watches) watches_[watch.name] = &watch;
  events.add_reader([this](const Event& event) {
    if (!event.certificate.empty() && !is_detail(event)) look_soon(event.certificate);
  });
}

void StatusWatch::start() {
  started_ = true;
  begin_round();
}

void StatusWatch::stop() {
  started_ = false;
  queue_.clear();
  queued_.clear();
}

void StatusWatch::somebody_looks() {
  if (!started_ || !left_.empty() || world_.clock.uptime() < next_round_) return;
  begin_round();
}

// Orphans are looked for anew: they come and go with `forget`.
void StatusWatch::begin_round() {
  round_began_ = world_.clock.now();
  round_began_at_ = world_.clock.uptime();
  names_.clear();
  for (const CertificateSpec& spec : config_.certificates) names_.push_back(spec.name);
  for (const std::string& name : store_.names()) {
    if (!configured_.contains(name)) names_.push_back(name);
  }
  left_ = {names_.begin(), names_.end()};
  for (const WatchSpec& watch : config_.watches) left_.insert(watch.name);
  for (const std::string& name : left_) {
    if (queued_.insert(name).second) queue_.push_back(name);
  }
  if (left_.empty()) return end_round();
  for (std::size_t i = under_way_; i < most_at_once; ++i) look_at_next();
}

void StatusWatch::end_round() {
  as_of_ = round_began_;
  const auto took = world_.clock.uptime() - round_began_at_;
  next_round_ = round_began_at_ + std::max<Duration>(shortest_pause, share_of_time * took);
  const std::set<std::string> there(names_.begin(), names_.end());
  std::erase_if(known_, [&](const auto& each) { return !there.contains(each.first); });
}

void StatusWatch::look_soon(const std::string& name) {
  if (!started_ || !configured_.contains(name) || !queued_.insert(name).second) return;
  world_.clock.start_timer(settling, [this, name] {
    if (!started_) return;
    queue_.push_back(name);
    if (under_way_ < most_at_once) look_at_next();
  });
}

void StatusWatch::look_at_next() {
  if (queue_.empty()) return;
  const std::string name = queue_.front();
  queue_.pop_front();
  queued_.erase(name);
  ++under_way_;
  // From the loop: reading a certificate's files takes a moment, and others want theirs between.
  world_.clock.start_timer(Duration{0}, [this, name] { look_at(name); });
}

void StatusWatch::look_at(const std::string& name) {
  const auto watch = watches_.find(name);
  if (watch == watches_.end()) return look_at_certificate(name);
  look_at_watch(world_, *watch->second, config_.alerts.expiry_days,
                [this, name](std::vector<WatchedCertificate> places) {
                  known_watches_[name] =
                      std::make_shared<const std::vector<WatchedCertificate>>(std::move(places));
                  looked_at(name);
                });
}

void StatusWatch::look_at_certificate(const std::string& name) {
  const auto configured = configured_.find(name);
  const CertificateSpec* spec = configured == configured_.end() ? nullptr : configured->second;
  if (spec == nullptr) {
    auto& orphan = orphans_[name];
    orphan = orphan_spec(store_, name);
    spec = orphan.get();
  }
  if (spec == nullptr) {
    known_.erase(name);
    return looked_at(name);
  }
  collect_status_of(world_, config_, store_, *spec, [this, name, spec](CertificateStatus status) {
    const auto rehearsals = store_.load_rehearsals(name);
    weigh(status, *spec, config_, evidence(), rehearsals);
    KnownStatus known{std::move(status), {}, rehearsals.value_or(RehearsalRecords{})};
    const auto schedule = store_.load_schedule(name);
    if (schedule) known.succeeded_at = schedule->proven_at;
    if (!known.succeeded_at && known.status.generation) {
      known.succeeded_at = known.status.generation->issued_at;
    }
    known_[name] = std::make_shared<const KnownStatus>(std::move(known));
    looked_at(name);
  });
}

// Read anew for each of ten thousand certificates it would take most of the time.
const HostEvidence& StatusWatch::evidence() {
  const auto now = world_.clock.uptime();
  if (!evidence_ || now - evidence_at_ >= evidence_keeps) {
    evidence_ = read_host_evidence(world_, config_);
    evidence_at_ = now;
  }
  return *evidence_;
}

void StatusWatch::looked_at(const std::string& name) {
  --under_way_;
  // One that is in the queue again was looked at before the round began, or changed since.
  const bool counts = !queued_.contains(name) && left_.erase(name) > 0;
  if (counts && left_.empty()) end_round();
  if (started_) look_at_next();
}

std::vector<KnownStatusPointer> StatusWatch::certificates() const {
  std::vector<KnownStatusPointer> list;
  for (const std::string& name : names_) {
    const auto known = known_.find(name);
    if (known != known_.end()) list.push_back(known->second);
  }
  return list;
}

std::vector<KnownWatchPointer> StatusWatch::watched() const {
  std::vector<KnownWatchPointer> list;
  for (const WatchSpec& watch : config_.watches) {
    const auto known = known_watches_.find(watch.name);
    if (known != known_watches_.end()) list.push_back(known->second);
  }
  return list;
}

}  // namespace nolapse
