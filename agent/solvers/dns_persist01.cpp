#include "agent/solvers/dns_persist01.h"

#include <algorithm>
#include <map>

#include "acme/persist_record.h"
#include "agent/solvers/dns_propagation.h"

namespace nolapse {
namespace {

using acme::PresentedChallenge;

class DnsPersist01 : public Solver {
 public:
  DnsPersist01(ChallengeConfig challenge, World world)
      : challenge_(std::move(challenge)), world_(world) {}

  const char* challenge_type() const override { return challenge_.type.c_str(); }

  void present(std::vector<PresentedChallenge>, Completion<void> done) override {
    world_.clock.start_timer(Duration{0}, [done = std::move(done)] { done({}); });
  }

  void await_proof(std::vector<PresentedChallenge> challenges, Patience patience,
                   std::function<void(ProofReport)> done) override {
    const auto until = std::make_shared<std::optional<Time>>();
    std::vector<TxtRecord> records;
    for (const PresentedChallenge& challenge : challenges) {
      TxtRecord record;
      record.name = acme::persist_record_name(challenge.identifier.value);
      record.fault = [until, wanted = challenge.persist,
                      this](const std::vector<std::string>& values) {
        const auto judgement = acme::judge_persist_records(values, wanted, world_.clock.now());
        if (judgement.until) *until = std::min(until->value_or(Time::max()), *judgement.until);
        return judgement.fault;
      };
      records.push_back(std::move(record));
    }
    PropagationLimits limits;
    limits.patience = challenge_.propagation_timeout;
    if (patience == Patience::brief) limits.patience /= 10;
    limits.patience_with_nothing = Duration{0};
    await_propagation(world_, std::move(records), challenge_.validation_port, limits,
                      [until, challenges = std::move(challenges),
                       done = std::move(done)](PropagationReport report) {
                        report.proof.until = *until;
                        if (!report.proof.seen) explain(challenges, report);
                        done(std::move(report.proof));
                      });
  }

  void clean_up(std::vector<PresentedChallenge>, std::function<void(CleanUpReport)> done) override {
    world_.clock.start_timer(Duration{0}, [done = std::move(done)] { done({}); });
  }

 private:
  // What to set, where servers deny that it is there. One record does for a name and its wildcard.
  static void explain(const std::vector<PresentedChallenge>& challenges,
                      PropagationReport& report) {
    std::map<std::string, acme::PersistRequest> missing;
    std::string text;
    for (std::size_t i = 0; i < challenges.size(); ++i) {
      const std::string& name = challenges[i].identifier.value;
      if (report.faults[i].empty()) continue;
      missing.emplace(name, challenges[i].persist);
      text +=
          (text.empty() ? "" : "; ") + acme::persist_record_name(name) + ": " + report.faults[i];
    }
    for (const PresentedChallenge& challenge : challenges) {
      const auto found = missing.find(challenge.identifier.value);
      if (found != missing.end() && challenge.wildcard) found->second.wildcard = true;
    }
    if (missing.empty()) return;
    report.proof.text = text;
    for (const auto& [name, wanted] : missing) {
      std::string& lines = report.proof.to_be_set;
      lines += (lines.empty() ? "" : " and ") + acme::persist_zone_line(name, wanted);
    }
  }

  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<Solver> make_dns_persist01(const ChallengeConfig& challenge, World world) {
  return std::make_unique<DnsPersist01>(challenge, world);
}

}  // namespace nolapse
