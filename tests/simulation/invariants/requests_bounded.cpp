// 8: what one certificate asks of the CAs in a day is bounded. Past expiry an attempt every quarter
// of an hour is wanted, at each CA; each end of the process may begin some more. Certificates are
// hardly ever issued twice a day, but a standby follows each change of what it stands by.
#include <utility>

#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

constexpr unsigned attempts_a_day = 24 * 4 * 4 / 3 + 12;  // a quarter early, and a first dozen
constexpr unsigned certificates_a_day = 3;
// A CA that takes ten minutes and wants to be asked every three seconds is asked so often.
constexpr unsigned requests_an_attempt = 300;
constexpr unsigned other_requests_a_day = 20;  // advice, directories, accounts

class RequestsBounded final : public Invariant {
 public:
  explicit RequestsBounded(const Fleet& fleet)
      : Invariant("requests are bounded", fleet),
        counts_(fleet.certificates().size()),
        standbys_(fleet.certificates().size()) {}

  void on_event(const Event& event, const Kept* about) override {
    if (about == nullptr) return;
    Counts& counts = (event.series.empty() ? counts_ : standbys_)[about->index];
    if (event.code == "ISSUANCE_STARTED") ++counts.attempts;
    if (event.code == "CERTIFICATE_ISSUED") ++counts.issued;
    if (event.code == "STANDBY_PROMOTED") ++counts.promoted;
  }

  void look() override {
    if (fleet_.now() - day_began_ < std::chrono::hours(24)) return;
    day_began_ = fleet_.now();
    const auto deaths = static_cast<unsigned>(fleet_.deaths() - deaths_before_);
    deaths_before_ = fleet_.deaths();
    std::uint64_t allowed = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const CertificateSpec& spec = *fleet_.certificates()[i].spec;
      const unsigned changes = counts_[i].issued + counts_[i].promoted;
      allowed += judge(spec.name, counts_[i], certificates_a_day, deaths);
      if (!spec.standby) continue;
      allowed +=
          judge("standby of " + spec.name, standbys_[i], certificates_a_day + changes, deaths);
    }
    std::uint64_t requests = 0;
    for (const auto& ca : fleet_.world.cas)
      requests += static_cast<std::uint64_t>(ca->counters().requests);
    if (requests - requests_before_ > allowed)
      violated(std::to_string(requests - requests_before_) + " requests in a day");
    requests_before_ = requests;
  }

 private:
  struct Counts {
    unsigned attempts = 0;
    unsigned issued = 0;
    unsigned promoted = 0;
    unsigned attempts_before = 0;  // on the day before
  };

  // What its attempts may ask for.
  std::uint64_t judge(const std::string& name, Counts& counts, unsigned certificates,
                      unsigned deaths) {
    const Counts today = counts;
    counts = {0, 0, 0, today.attempts};
    const auto cas = static_cast<unsigned>(fleet_.world.cas.size());
    if (today.attempts > cas * (attempts_a_day + 2 * deaths))
      violated(name + ": " + std::to_string(today.attempts) + " attempts in a day");
    if (today.issued > certificates + deaths)
      violated(name + ": " + std::to_string(today.issued) + " certificates in a day");
    // Of the day before, too: what began at its end goes on in this one.
    return (today.attempts + today.attempts_before) * requests_an_attempt +
           other_requests_a_day * (1 + deaths);
  }

  std::vector<Counts> counts_;
  std::vector<Counts> standbys_;
  Time day_began_ = fleet_.beginning();
  std::uint64_t requests_before_ = 0;
  std::uint64_t deaths_before_ = 0;
};

}  // namespace

InvariantPtr make_requests_bounded(const Fleet& fleet) {
  return std::make_unique<RequestsBounded>(fleet);
}

}  // namespace nolapse
