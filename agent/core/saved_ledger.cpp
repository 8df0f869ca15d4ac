#include "agent/core/saved_ledger.h"

#include <utility>

namespace nolapse {

SavedLedger::SavedLedger(World world, const Store& store, EventStream& events, std::string ca,
                         const RateLimits& limits)
    : world_(world),
      store_(store),
      events_(events),
      ca_(std::move(ca)),
      limits_(limits),
      ledger_(limits) {}

void SavedLedger::load(bool expected) {
  loaded_ = true;
  auto state = store_.load_ledger(ca_);
  if (state && *state) {
    ledger_ = RateLedger(limits_, std::move(**state));
    return;
  }
  if (!state) {
    events_.emit(Severity::warning, {}, "STATE_UNREADABLE",
                 state.error().message + "; half of what " + ca_ + " allows is taken to be spent");
  }
  if (!state || expected) {
    ledger_ = RateLedger::assumed_after_loss(limits_, world_.clock.now());
  }
}

RateVerdict SavedLedger::may_order(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                                   Who who) {
  const Time now = pruned();
  return ledger_.may_order(identifiers, kind, who, now);
}

RateVerdict SavedLedger::may_renew(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                                   Time little_is_left_from) {
  const Time now = pruned();
  return ledger_.may_renew(identifiers, kind, little_is_left_from, now);
}

// Not at every order: it looks at all that a whole fleet has spent.
Time SavedLedger::pruned() {
  const Time now = world_.clock.now();
  if (!pruned_at_ || now < *pruned_at_ || now - *pruned_at_ >= std::chrono::hours(1)) {
    ledger_.prune(now);
    pruned_at_ = now;
  }
  return now;
}

std::shared_ptr<const void> SavedLedger::hold(RateCosts costs) {
  ledger_.hold(costs);
  return {this, [this, costs = std::move(costs)](const void*) { ledger_.release(costs); }};
}

void SavedLedger::follow_clock(Duration forward) {
  if (!loaded_) return;
  tell([forward](RateLedger& ledger, Time now) { ledger.follow_clock(forward, now); }, [] {});
}

void SavedLedger::tell(const Told& told, std::function<void()> saved) {
  told(ledger_, world_.clock.now());
  waiting_.push_back(std::move(saved));
  if (saving_.empty()) save();
}

void SavedLedger::save() {
  saving_.swap(waiting_);
  world_.files.run(store_.save_ledger(ca_, ledger_.state()), [this](Result<void> saved) {
    if (!saved) {
      events_.emit(Severity::warning, {}, saved.error().code,
                   "what " + ca_ + " allows could not be noted: " + saved.error().message);
    }
    const auto told = std::exchange(saving_, {});
    if (!waiting_.empty()) save();
    for (const auto& go_on : told) go_on();
  });
}

}  // namespace nolapse
