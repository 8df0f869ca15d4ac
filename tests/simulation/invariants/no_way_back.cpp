// 7: an older generation never follows a newer one, neither at a service nor under live/, except
// where it was rolled back, where somebody else put the old one back, or where a power failure took
// what was not yet synced. A standby that took over may have been issued before the one it follows.
#include <charconv>

#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class NoWayBack final : public Invariant {
 public:
  explicit NoWayBack(const Fleet& fleet)
      : Invariant("no older generation follows a newer", fleet),
        live_(fleet.certificates().size()) {}

  void on_served(const Host& host, const Host::Site& site,
                 const std::optional<Leaf>& before) override {
    if (site.put_back || site.rolled_back || !before || !site.served) return;
    const auto& newest = fleet_.certificates()[site.certificate].issued;
    if (newest && newest->fingerprint == site.served->fingerprint) return;
    if (site.served->not_before < before->not_before)
      violated(host.name() + " went back to a certificate of " +
               acme::format_rfc3339(site.served->not_before) + " from one of " +
               acme::format_rfc3339(before->not_before));
  }

  void on_event(const Event& event, const Kept* about) override {
    if (about != nullptr && event.code == "ROLLED_BACK") live_[about->index].rolled_back = true;
  }

  void look() override {
    for (const Kept& kept : fleet_.certificates()) {
      const unsigned now = live_of(kept);
      Live& known = live_[kept.index];
      if (now < known.number && known.deaths == fleet_.deaths() && !known.rolled_back)
        violated("live/" + kept.spec->name + " went back from generation " +
                 std::to_string(known.number) + " to " + std::to_string(now));
      known = {now, fleet_.deaths()};
    }
  }

 private:
  struct Live {
    unsigned number = 0;
    std::uint64_t deaths = 0;
    bool rolled_back = false;  // since then, at a target: live/ follows that
  };

  unsigned live_of(const Kept& kept) const {
    const auto target =
        fleet_.world.files.read_link(std::string(Fleet::state) + "/live/" + kept.spec->name);
    if (!target) return 0;
    unsigned number = 0;
    const char* const end = target->data() + target->size();
    std::from_chars(target->data() + target->rfind('/') + 1, end, number);
    return number;
  }

  std::vector<Live> live_;
};

}  // namespace

InvariantPtr make_no_way_back(const Fleet& fleet) {
  return std::make_unique<NoWayBack>(fleet);
}

}  // namespace nolapse
