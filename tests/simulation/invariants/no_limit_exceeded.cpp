// 3: no rate limit of a CA is exceeded, by the CA's own count. The limits that the CAs have let
// through at least what Let's Encrypt's buckets give out; a CA whose limits are tighter than it
// said (fault class "rate") may refuse, and is not counted while it does.
#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class NoLimitExceeded final : public Invariant {
 public:
  explicit NoLimitExceeded(const Fleet& fleet)
      : Invariant("no rate limit is exceeded", fleet), seen_(fleet.world.cas.size()) {}

  void on_event(const Event& /*event*/, const Kept* /*about*/) override { look(); }

  void look() override {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const FakeCa& ca = *fleet_.world.cas[i];
      const int refused = ca.counters().rate_limited;
      if (refused == seen_[i]) continue;
      seen_[i] = refused;
      const bool tight = ca.settings.orders_per_account.count < Fleet::orders_in_three_hours;
      if (!tight) violated(ca.settings.name + " refused: " + ca.last_limit());
    }
  }

 private:
  std::vector<int> seen_;
};

}  // namespace

InvariantPtr make_no_limit_exceeded(const Fleet& fleet) {
  return std::make_unique<NoLimitExceeded>(fleet);
}

}  // namespace nolapse
