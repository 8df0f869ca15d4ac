#include "agent/solvers/dns01.h"

#include <map>

#include "acme/challenge_response.h"
#include "agent/solvers/dns_propagation.h"
#include "agent/solvers/dns_provider.h"
#include "agent/solvers/dns_zone.h"

namespace nolapse {
namespace {

using acme::PresentedChallenge;

class Dns01 : public Solver {
 public:
  Dns01(ChallengeConfig challenge, World world, Turns& turns)
      : challenge_(std::move(challenge)),
        world_(world),
        provider_(make_dns_provider(challenge_, world)),
        turns_(turns) {}

  const char* challenge_type() const override { return challenge_.type.c_str(); }

  // What is there of an attempt that failed is the flow's to have cleaned up.
  void present(std::vector<PresentedChallenge> challenges, Completion<void> done) override {
    change_all(challenges, Change::add, std::move(done));
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
    change_all(challenges, Change::remove, [done = std::move(done)](Result<void> outcome) {
      CleanUpReport report;
      if (!outcome) report.left_behind = "a TXT record may be left: " + outcome.error().message;
      done(report);
    });
  }

 private:
  enum class Change { add, remove };

  static std::string name_of(const PresentedChallenge& challenge) {
    return challenge.label + "." + challenge.identifier.value;
  }

  using Key = std::pair<std::string, std::string>;  // a record's name and value
  static Key key_of(const PresentedChallenge& challenge) {
    return {name_of(challenge), acme::dns01_value(challenge.key_authorization)};
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

  // What is taken away is taken from where it was put, wherever the name leads by now.
  void change(const PresentedChallenge& challenge, Change what, Completion<void> done) {
    const auto known = places_.find(key_of(challenge));
    if (what == Change::remove && known != places_.end()) {
      return change_at(known->second, challenge, what, done);
    }
    find_record_place(world_, name_of(challenge),
                      [this, challenge, what, done = std::move(done)](const RecordSearch& search) {
                        if (search.failure && !may_go_on(search, what))
                          return done(described(*search.failure));
                        RecordPlace place = search.place;
                        if (place.name.empty()) place.name = name_of(challenge);
                        if (what == Change::add) places_[key_of(challenge)] = place;
                        change_at(place, challenge, what, done);
                      });
  }

  // A resolver that is away is ours. The CA has its own, and most records have no alias. A removal
  // can wait, and one from a guessed place would count as done.
  bool may_go_on(const RecordSearch& search, Change what) const {
    if (search.failure->kind == ErrorKind::input || provider_->needs_zone()) return false;
    return what == Change::add || !search.place.name.empty();
  }

  // One at a time at each program or service, whichever sections use it, or one for each name where
  // the provider admits it: two that read, change and write the same set of values lose one.
  void change_at(const RecordPlace& place, const PresentedChallenge& challenge, Change what,
                 const Completion<void>& done) {
    DnsProvider::Record record{place.name,
                               place.zone,
                               acme::dns01_value(challenge.key_authorization),
                               challenge.identifier.value,
                               challenge.token,
                               challenge.key_authorization};
    const std::string turn =
        provider_->may_overlap() ? "record " + record.name : shared_place(challenge_);
    const auto changed = [this, key = key_of(challenge), turn, what, done](Result<void> outcome) {
      turns_.leave(turn);
      if (outcome && what == Change::remove) places_.erase(key);
      done(outcome ? std::move(outcome) : described(outcome.error()));
    };
    turns_.enter(turn, [this, record = std::move(record), what, changed] {
      if (what == Change::add) return provider_->add(record, changed);
      provider_->remove(record, changed);
    });
  }

  Result<void> described(Error error) const {
    error.message = "challenge." + challenge_.name + ": " + error.message;
    return fail(std::move(error));
  }

  const ChallengeConfig challenge_;
  World world_;
  std::unique_ptr<DnsProvider> provider_;
  Turns& turns_;
  std::map<Key, RecordPlace> places_;  // where this process put what is not taken away yet
};

}  // namespace

std::unique_ptr<Solver> make_dns01(const ChallengeConfig& challenge, World world, Turns& turns) {
  return std::make_unique<Dns01>(challenge, world, turns);
}

}  // namespace nolapse
