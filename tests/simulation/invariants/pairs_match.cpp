// 5: a service never serves a mismatched pair. Some of the fleet's take whatever is installed.
#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class PairsMatch final : public Invariant {
 public:
  explicit PairsMatch(const Fleet& fleet) : Invariant("no service has a mismatched pair", fleet) {}

  void on_served(const Host& host, const Host::Site& site,
                 const std::optional<Leaf>& /*before*/) override {
    if (site.service->serving() && !site.served)
      violated(host.name() + " serves a mismatched pair for " +
               fleet_.certificates()[site.certificate].spec->name);
  }
};

}  // namespace

InvariantPtr make_pairs_match(const Fleet& fleet) {
  return std::make_unique<PairsMatch>(fleet);
}

}  // namespace nolapse
