#include "agent/core/target_turns.h"

#include <utility>

namespace nolapse {

void TargetTurns::enter(const DeployTarget& target, std::function<void()> turn) {
  Place& place = places_[target.name];
  place.target = &target;
  const bool had_work = place.has_work();
  place.turns.push_back(std::move(turn));
  if (!place.busy && !had_work) begin(target.name);
}

// A target with work and without a turn of its own waits in its section, once.
void TargetTurns::begin(const std::string& target) {
  Place& place = places_.at(target);
  Section& section = sections_[place.target->section];
  if (section.busy >= place.target->parallel) return section.waiting.push_back(target);
  ++section.busy;
  place.busy = true;
  work(place);
}

void TargetTurns::work(Place& place) {
  if (place.turns.empty() || place.waiting.size() >= longest_batch) return reload(place);
  auto turn = std::move(place.turns.front());
  place.turns.pop_front();
  clock_.start_timer(Duration{0}, std::move(turn));
}

void TargetTurns::reload(Place& place) {
  const DeployTarget& target = *place.target;
  const Reload run = std::exchange(place.reload, nullptr);
  run([this, &target, waiting = std::exchange(place.waiting, {})](Result<HookOutcome> outcome) {
    end(target);
    for (const auto& done : waiting) done(outcome);
  });
}

void TargetTurns::leave(const DeployTarget& target) {
  end(target);
}

void TargetTurns::leave_to_reload(const DeployTarget& target, Reload reload,
                                  Completion<HookOutcome> done) {
  Place& place = places_.at(target.name);
  place.reload = std::move(reload);
  place.waiting.push_back(std::move(done));
  end(target);
}

// Other hosts of the section come first.
void TargetTurns::end(const DeployTarget& target) {
  Place& place = places_.at(target.name);
  Section& section = sections_.at(target.section);
  place.busy = false;
  --section.busy;
  if (place.has_work()) {
    section.waiting.push_back(target.name);
  } else {
    places_.erase(target.name);
  }
  if (section.waiting.empty()) {
    if (section.busy == 0) sections_.erase(target.section);
    return;
  }
  const std::string next = std::move(section.waiting.front());
  section.waiting.pop_front();
  begin(next);
}

}  // namespace nolapse
