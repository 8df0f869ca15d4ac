#include "agent/core/left_behind.h"

#include <algorithm>

#include "agent/core/series.h"

namespace nolapse {

namespace {

constexpr std::size_t most_named = 5;

// Where a person finds them.
std::string places_of(const std::vector<acme::PresentedChallenge>& proofs) {
  std::string text;
  for (std::size_t i = 0; i < std::min(proofs.size(), most_named); ++i) {
    const acme::PresentedChallenge& proof = proofs[i];
    if (i > 0) text += ", ";
    if (!proof.label.empty()) text += proof.label + ".";
    text += proof.identifier.value;
  }
  return text + (proofs.size() > most_named ? ", and more" : "");
}

}  // namespace

void LeftBehind::load() {
  std::vector<std::string> names = store_.names();
  for (std::size_t i = names.size(); i-- > 0;) names.push_back(standby_name(names[i]));
  for (const std::string& name : names) {
    auto proofs = store_.load_left_proofs(name);
    if (!proofs) {
      events_.emit(Severity::warning, name, "STATE_UNREADABLE", proofs.error().message);
    } else if (!proofs->proofs.empty()) {
      proofs_[name] = std::move(*proofs);
    }
  }
}

void LeftBehind::note(const std::string& certificate, const LeftProofs& proofs,
                      std::function<void()> then) {
  LeftProofs& all = proofs_[certificate];
  if (all.challenge != proofs.challenge) all = {proofs.challenge, {}};
  for (const acme::PresentedChallenge& proof : proofs.proofs) {
    if (std::find(all.proofs.begin(), all.proofs.end(), proof) == all.proofs.end()) {
      all.proofs.push_back(proof);
    }
  }
  world_.files.run(store_.save_left_proofs(certificate, all),
                   [then = std::move(then)](Result<void>) { then(); });
}

void LeftBehind::try_again(const std::string& certificate, const FindSolver& find,
                           std::function<void()> then) {
  const auto left = proofs_.find(certificate);
  if (left == proofs_.end()) return then();
  Solver* solver = find(left->second.challenge);
  if (solver == nullptr) {
    events_.emit(Severity::warning, certificate, "CHALLENGE_LEFT_BEHIND",
                 std::to_string(left->second.proofs.size()) + " proof(s) of the challenge " +
                     left->second.challenge + " stay where they are (" +
                     places_of(left->second.proofs) +
                     "): it is no longer in the configuration; remove them by hand");
    return drop(certificate, std::move(then));
  }
  solver->clean_up(left->second.proofs, [this, certificate, then = std::move(then)](
                                            const Solver::CleanUpReport& report) {
    if (!report.left_behind.empty()) return then();
    drop(certificate, then);
  });
}

void LeftBehind::drop(const std::string& certificate, std::function<void()> then) {
  proofs_.erase(certificate);
  world_.files.run(store_.drop_left_proofs(certificate),
                   [then = std::move(then)](Result<void>) { then(); });
}

}  // namespace nolapse
