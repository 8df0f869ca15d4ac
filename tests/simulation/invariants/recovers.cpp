// 10: three days after the faults have stopped, every certificate that can be had is valid, not
// revoked, and served as issued.
#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

class Recovers final : public Invariant {
 public:
  explicit Recovers(const Fleet& fleet) : Invariant("when the faults stop, all is well", fleet) {}

  void on_recovered() override {
    for (const Kept& kept : fleet_.certificates()) {
      if (kept.hopeless) continue;
      const std::string& name = kept.spec->name;
      if (!kept.issued) {
        violated(name + " is still not issued");
      } else if (kept.issued->not_after <= fleet_.now()) {
        violated(name + " is still expired");
      } else if (!kept.served_as_issued()) {
        violated(name + " is still not served as issued");
      } else if (kept.revoked) {
        violated(name + " is still revoked");
      }
    }
  }
};

}  // namespace

InvariantPtr make_recovers(const Fleet& fleet) {
  return std::make_unique<Recovers>(fleet);
}

}  // namespace nolapse
