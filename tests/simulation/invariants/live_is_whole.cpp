// 4: after any crash live/ leads to a complete and matching pair, or there is none yet.
#include <set>

#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class LiveIsWhole final : public Invariant {
 public:
  explicit LiveIsWhole(const Fleet& fleet) : Invariant("live/ is a complete pair", fleet) {}

  void on_death() override {
    for (const Kept& kept : fleet_.certificates()) check(kept);
  }
  void on_end() override { on_death(); }

 private:
  void check(const Kept& kept) {
    const std::string live = std::string(Fleet::state) + "/live/" + kept.spec->name;
    if (!fleet_.world.files.read_link(live)) return;
    for (const char* name : {"/cert.pem", "/chain.pem"}) {
      if (fleet_.world.files.text(live + name).empty())
        return violated(live + name + " is missing or empty");
    }
    const KeyPair pair{fleet_.world.files.text(live + "/fullchain.pem"),
                       fleet_.world.files.text(live + "/privkey.pem")};
    // The same files again and again: judged once.
    const std::uint64_t print = fnv1a(pair.fullchain + pair.private_key);
    if (matching_.contains(print)) return;
    if (!is_matching(pair)) return violated(live + " is no matching pair");
    matching_.insert(print);
  }

  std::set<std::uint64_t> matching_;
};

}  // namespace

InvariantPtr make_live_is_whole(const Fleet& fleet) {
  return std::make_unique<LiveIsWhole>(fleet);
}

}  // namespace nolapse
