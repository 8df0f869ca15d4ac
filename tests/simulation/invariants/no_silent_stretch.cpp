// 2: no silent stretch. While a certificate is past the last moment at which it should have been
// renewed, or is not served as issued, a warning or an error about it comes again and again, at the
// distance that longest_silence says; and one that expires was the subject of an error before that.
// Only asked of a daemon that runs and has the right time: that it does not run is for the
// heartbeat's watcher to say.
#include <algorithm>

#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

using namespace std::chrono_literals;

// What goes on is said once a day, by the first look after that; the fleet looks once a day, give
// or take a quarter.
constexpr Duration longest_silence = 24h + 30h + 2h;

class NoSilentStretch final : public Invariant {
 public:
  explicit NoSilentStretch(const Fleet& fleet)
      : Invariant("no silent stretch", fleet), known_(fleet.certificates().size()) {}

  void on_event(const Event& event, const Kept* about) override {
    // What is said of its standby is not said of what is served.
    if (about == nullptr || event.severity == Severity::info || !event.series.empty()) return;
    // That the CA's advice or list is missing tells nobody that the certificate is in trouble.
    if (event.code == "RENEWAL_INFO_FAILED" || event.code == "CRL_FAILED") return;
    known_[about->index].last_word = fleet_.now();
    if (event.severity == Severity::error) known_[about->index].last_error = fleet_.now();
  }

  void on_served(const Host& /*host*/, const Host::Site& site,
                 const std::optional<Leaf>& /*before*/) override {
    if (site.put_back) known_[site.certificate].put_back_at = fleet_.now();
  }

  void look() override {
    const auto right = fleet_.health.well_since({"process", "clock"}, fleet_.beginning());
    for (const Kept& kept : fleet_.certificates()) {
      Known& known = known_[kept.index];
      const std::string trouble = trouble_of(kept);
      if (trouble.empty()) known.trouble_since.reset();
      if (!trouble.empty() && !known.trouble_since) known.trouble_since = fleet_.now();
      if (!right || trouble.empty()) continue;
      const Time from = std::max({*right, *known.trouble_since, known.last_word});
      if (fleet_.now() - from > longest_silence)
        violated(kept.spec->name + " " + trouble + ", and nothing was said of it since " +
                 acme::format_rfc3339(from));
      check_expired(kept, known, *right);
    }
  }

 private:
  struct Known {
    Time last_word{};
    Time last_error{};
    Time put_back_at{};  // by somebody else, an old pair
    std::optional<Time> trouble_since;
  };

  std::string trouble_of(const Kept& kept) const {
    const Time now = fleet_.now();
    if (!kept.issued) return now - fleet_.beginning() > 2h ? "was never issued" : "";
    const Duration lifetime = kept.issued->lifetime();
    // A sixth is the latest point that a CA may advise; the grace is for the attempt itself.
    if (now > kept.issued->not_after - lifetime / 6 + lifetime / 24) return "is overdue";
    if (!kept.served_as_issued()) return "is not served as issued";
    return "";
  }

  void check_expired(const Kept& kept, const Known& known, Time right) {
    const auto until = kept.served_until();
    // What expired longer ago, somebody put back.
    if (!until || *until > fleet_.now() || *until <= fleet_.now() - look_interval) return;
    const Duration lifetime = kept.issued ? kept.issued->lifetime() : Duration(240h);
    // Enough time to notice.
    Time noticed = right + lifetime / 12;
    if (known.put_back_at != Time{}) {
      // Only a look at what is served finds such a one.
      const auto well = fleet_.health.well_since(kept.parts, fleet_.beginning());
      if (!well) return;
      noticed = std::max(*well, known.put_back_at) + longest_silence;
    }
    if (noticed > *until) return;
    if (known.last_error < *until - lifetime / 2)
      violated(kept.spec->name + " expired at " + acme::format_rfc3339(*until) +
               " without an error event about it");
  }

  std::vector<Known> known_;
};

}  // namespace

InvariantPtr make_no_silent_stretch(const Fleet& fleet) {
  return std::make_unique<NoSilentStretch>(fleet);
}

}  // namespace nolapse
