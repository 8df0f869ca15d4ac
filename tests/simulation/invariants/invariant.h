// What must hold whatever the world does, one file for each. An invariant looks at the fleet from
// outside, at events, at what services serve and, every few hours, at everything; it remembers
// what it needs for that and never changes anything. Its first violation is kept, with the moment.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/fleet.h"

namespace nolapse {

// How often look() is called.
inline constexpr Duration look_interval = std::chrono::hours(6);

struct Violation {
  std::string invariant;
  Time at{};
  std::string text;
};

class Invariant {
 public:
  Invariant(std::string name, const Fleet& fleet) : fleet_(fleet), name_(std::move(name)) {}
  virtual ~Invariant() = default;

  virtual void on_event(const Event& /*event*/, const Kept* /*about*/) {}
  virtual void on_served(const Host& /*host*/, const Host::Site& /*site*/,
                         const std::optional<Leaf>& /*before*/) {}
  virtual void on_death() {}
  virtual void look() {}
  virtual void on_recovered() {}  // three days into a quiet time
  virtual void on_end() {}

  const std::string& name() const { return name_; }
  const std::optional<Violation>& violation() const { return violation_; }

 protected:
  void violated(const std::string& text) {
    if (!violation_) violation_ = {name_, fleet_.now(), text};
  }

  const Fleet& fleet_;

 private:
  std::string name_;
  std::optional<Violation> violation_;
};

// Lapses by whether they could have been avoided, as avoidable.h defines it.
struct Lapses {
  unsigned avoidable = 0;
  unsigned unavoidable = 0;
};

using InvariantPtr = std::unique_ptr<Invariant>;
InvariantPtr make_nothing_lapses(const Fleet& fleet, Lapses& lapses);
InvariantPtr make_no_silent_stretch(const Fleet& fleet);
InvariantPtr make_no_limit_exceeded(const Fleet& fleet);
InvariantPtr make_live_is_whole(const Fleet& fleet);
InvariantPtr make_pairs_match(const Fleet& fleet);
InvariantPtr make_challenges_cleaned_up(const Fleet& fleet);
InvariantPtr make_no_way_back(const Fleet& fleet);
InvariantPtr make_requests_bounded(const Fleet& fleet);
InvariantPtr make_no_key_material(const Fleet& fleet);
InvariantPtr make_recovers(const Fleet& fleet);

}  // namespace nolapse
