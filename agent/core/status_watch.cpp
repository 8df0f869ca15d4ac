#include "agent/core/status_watch.h"

#include <algorithm>

#include "agent/core/status_collection.h"

namespace nolapse {

StatusWatch::StatusWatch(World world, const Config& config, EventStream& events)
    : world_(world), config_(config), store_(config.state_directory, world.files) {
  for (const CertificateSpec& spec : config.certificates) configured_[spec.name] = &spec;
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
  for (const std::string& name : names_) {
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
  world_.clock.start_timer(Duration{0}, [this, name] {
    const auto configured = configured_.find(name);
    const CertificateSpec* spec = configured == configured_.end() ? nullptr : configured->second;
    if (spec == nullptr) {
      auto& orphan = orphans_[name];
      orphan = orphan_spec(store_, name);
      spec = orphan.get();
    }
    if (spec == nullptr) return looked_at(name, nullptr);
    collect_status_of(world_, config_, *spec, [this, name](CertificateStatus status) {
      KnownStatus known{std::move(status), {}, {}};
      const auto schedule = store_.load_schedule(name);
      if (schedule) known.succeeded_at = schedule->proven_at;
      if (!known.succeeded_at && known.status.generation) {
        known.succeeded_at = known.status.generation->issued_at;
      }
      known.rehearsals = store_.load_rehearsals(name).value_or(RehearsalRecords{});
      looked_at(name, std::make_shared<const KnownStatus>(std::move(known)));
    });
  });
}

void StatusWatch::looked_at(const std::string& name, KnownStatusPointer known) {
  --under_way_;
  if (known) {
    known_[name] = std::move(known);
  } else {
    known_.erase(name);
  }
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

}  // namespace nolapse
