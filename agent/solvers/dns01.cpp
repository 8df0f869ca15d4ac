#include "agent/solvers/dns01.h"

#include "acme/challenge_response.h"
#include "agent/core/turns.h"
#include "agent/solvers/dns_propagation.h"
#include "agent/solvers/dns_provider.h"
#include "agent/solvers/dns_zone.h"

namespace nolapse {
namespace {

using acme::PresentedChallenge;

class Dns01 : public Solver {
 public:
  Dns01(ChallengeConfig challenge, World world)
      : challenge_(std::move(challenge)),
        world_(world),
        provider_(make_dns_provider(challenge_, world)),
        turns_(world.clock) {}

  const char* challenge_type() const override { return challenge_.type.c_str(); }

  // What is there of an attempt that failed is the flow's to have cleaned up.
  void present(std::vector<PresentedChallenge> challenges, Completion<void> done) override {
    change_all(challenges, &DnsProvider::add, std::move(done));
  }

  void await_proof(std::vector<PresentedChallenge> challenges, Patience patience,
                   std::function<void(ProofReport)> done) override {
    std::vector<TxtRecord> records;
    for (const PresentedChallenge& challenge : challenges) {
      records.push_back({name_of(challenge), acme::dns01_value(challenge.key_authorization)});
    }
    PropagationLimits limits;
    limits.patience = challenge_.propagation_timeout;
    if (patience == Patience::brief) limits.patience /= 10;
    await_propagation(
        world_, std::move(records), challenge_.validation_port, limits,
        [done = std::move(done)](PropagationReport report) { done(std::move(report.proof)); });
  }

  void clean_up(std::vector<PresentedChallenge> challenges,
                std::function<void(CleanUpReport)> done) override {
    change_all(challenges, &DnsProvider::remove, [done = std::move(done)](Result<void> outcome) {
      CleanUpReport report;
      if (!outcome) report.left_behind = "a TXT record may be left: " + outcome.error().message;
      done(report);
    });
  }

 private:
  using Change = void (DnsProvider::*)(DnsProvider::Record, Completion<void>);

  static std::string name_of(const PresentedChallenge& challenge) {
    return challenge.label + "." + challenge.identifier.value;
  }

  // Goes through all of them and gives the first failure.
  void change_all(const std::vector<PresentedChallenge>& challenges, Change what,
                  Completion<void> done) {
    struct Work {
      std::size_t open;
      std::optional<Error> failure;
    };
    auto work = std::make_shared<Work>(Work{challenges.size() + 1, {}});
    const auto one_done = [work, done = std::move(done)](Result<void> outcome) {
      if (!outcome && !work->failure) work->failure = outcome.error();
      if (--work->open > 0) return;
      done(work->failure ? Result<void>(fail(*work->failure)) : Result<void>());
    };
    for (const PresentedChallenge& challenge : challenges) change(challenge, what, one_done);
    world_.clock.start_timer(Duration{0}, [one_done] { one_done({}); });  // none is fine, too
  }

  // One at a time, or one for each name where the provider admits it: two that read, change and
  // write the same set of values lose one.
  void change(const PresentedChallenge& challenge, Change what, Completion<void> done) {
    find_record_place(world_, name_of(challenge),
                      [this, challenge, what, done = std::move(done)](Result<RecordPlace> place) {
                        // A resolver that is away is ours. The CA has its own, and most records
                        // have no alias.
                        const bool may_go_on = !place && place.error().kind != ErrorKind::input;
                        if (may_go_on && !provider_->needs_zone())
                          place = RecordPlace{name_of(challenge), {}};
                        if (!place) return done(described(place.error()));
                        change_at(*place, challenge, what, done);
                      });
  }

  void change_at(const RecordPlace& place, const PresentedChallenge& challenge, Change what,
                 const Completion<void>& done) {
    DnsProvider::Record record{place.name,
                               place.zone,
                               acme::dns01_value(challenge.key_authorization),
                               challenge.identifier.value,
                               challenge.token,
                               challenge.key_authorization};
    const std::string turn = provider_->may_overlap() ? record.name : "";
    turns_.enter(turn, [this, record = std::move(record), turn, what, done] {
      (*provider_.*what)(record, [this, turn, done](Result<void> outcome) {
        turns_.leave(turn);
        done(outcome ? std::move(outcome) : described(outcome.error()));
      });
    });
  }

  Result<void> described(Error error) const {
    error.message = "challenge." + challenge_.name + ": " + error.message;
    return fail(std::move(error));
  }

  const ChallengeConfig challenge_;
  World world_;
  std::unique_ptr<DnsProvider> provider_;
  Turns turns_;
};

}  // namespace

std::unique_ptr<Solver> make_dns01(const ChallengeConfig& challenge, World world) {
  return std::make_unique<Dns01>(challenge, world);
}

}  // namespace nolapse
