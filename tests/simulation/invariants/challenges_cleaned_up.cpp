// 6: challenges are always cleaned up: none is found in the same place two days running, unless
// the daemon or its disk had other troubles meanwhile.
#include <map>

#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class ChallengesCleanedUp final : public Invariant {
 public:
  explicit ChallengesCleanedUp(const Fleet& fleet)
      : Invariant("challenges are cleaned up", fleet) {}

  void look() override {
    const auto well = fleet_.health.well_since({"process", "disk"}, fleet_.beginning());
    std::map<std::string, Time> found;
    for (const std::string& token : present()) {
      const auto known = first_seen_.find(token);
      const Time since = known == first_seen_.end() ? fleet_.now() : known->second;
      found[token] = since;
      if (well && fleet_.now() - std::max(since, *well) >= std::chrono::hours(48))
        violated("the challenge " + token + " is there since " + acme::format_rfc3339(since));
    }
    first_seen_ = std::move(found);
  }

 private:
  std::vector<std::string> present() const {
    if (!fleet_.uses_webroot()) return fleet_.world.http_responder.all_tokens();
    return fleet_.world.files.list(std::string(Fleet::webroot) + "/.well-known/acme-challenge")
        .value_or(std::vector<std::string>{});
  }

  std::map<std::string, Time> first_seen_;
};

}  // namespace

InvariantPtr make_challenges_cleaned_up(const Fleet& fleet) {
  return std::make_unique<ChallengesCleanedUp>(fleet);
}

}  // namespace nolapse
