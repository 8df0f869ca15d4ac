// 1: nothing lapses that could have been renewed; see avoidable.h for what that means. And where a
// valid certificate is in the state directory, an expired one (somebody may have put it back) is
// not served for longer than a day and a half in which all was well.
#include "tests/simulation/invariants/avoidable.h"
#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class NothingLapses final : public Invariant {
 public:
  NothingLapses(const Fleet& fleet, Lapses& lapses)
      : Invariant("nothing lapses that could have been renewed", fleet),
        lapses_(lapses),
        lapsed_(fleet.certificates().size()) {}

  // Somebody may put an old one back again as soon as it was repaired.
  void on_served(const Host& /*host*/, const Host::Site& site,
                 const std::optional<Leaf>& /*before*/) override {
    const Host::Site* first = first_to_expire(fleet_.certificates()[site.certificate]);
    if (first == nullptr || first->served->not_after > fleet_.now())
      lapsed_[site.certificate].reset();
  }

  void look() override {
    for (const Kept& kept : fleet_.certificates()) {
      const Host::Site* site = first_to_expire(kept);
      std::optional<Time>& since = lapsed_[kept.index];
      if (site == nullptr || site->served->not_after > fleet_.now()) {
        since.reset();
        continue;
      }
      // What expired longer ago was not served at the last look: somebody put it back.
      const bool lapses_now = site->served->not_after > fleet_.now() - look_interval;
      if (!since && lapses_now && !site->put_back) judge(kept, *site->served);
      if (!since) since = fleet_.now();
      check_replaced(kept, *since);
    }
  }

 private:
  static const Host::Site* first_to_expire(const Kept& kept) {
    const Host::Site* first = nullptr;
    for (const Host::Site* site : kept.sites) {
      if (site->served && (first == nullptr || site->served->not_after < first->served->not_after))
        first = site;
    }
    return first;
  }

  void judge(const Kept& kept, const Leaf& leaf) {
    if (kept.hopeless || !lapse_was_avoidable(fleet_, kept, leaf)) {
      ++lapses_.unavoidable;
      return;
    }
    ++lapses_.avoidable;
    violated(kept.spec->name + " lapsed at " + acme::format_rfc3339(leaf.not_after) +
             " although all that it needed was well for long enough");
  }

  void check_replaced(const Kept& kept, Time since) {
    if (!kept.issued || kept.issued->not_after <= fleet_.now()) return;
    const auto well = fleet_.health.well_since(kept.parts, fleet_.beginning());
    if (well && fleet_.now() - std::max(*well, since) > std::chrono::hours(36))
      violated(kept.spec->name + " has a valid certificate and serves an expired one since " +
               acme::format_rfc3339(since));
  }

  Lapses& lapses_;
  std::vector<std::optional<Time>> lapsed_;
};

}  // namespace

InvariantPtr make_nothing_lapses(const Fleet& fleet, Lapses& lapses) {
  return std::make_unique<NothingLapses>(fleet, lapses);
}

}  // namespace nolapse
