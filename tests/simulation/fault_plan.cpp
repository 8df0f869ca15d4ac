#include "tests/simulation/fault_plan.h"

#include <algorithm>

#include "tests/support/seeded_random.h"

namespace nolapse {

namespace {

using namespace std::chrono_literals;
using acme::Duration;

enum class Target { world, ca, host, certificate };

// How often it happens to each of its targets, and for how long. No length: it is an instant.
struct Row {
  FaultClass fault;
  const char* kind;
  Target target;
  Duration every;
  Duration shortest;
  Duration longest;
};

constexpr Duration day = 24h;

const Row rows[] = {
    {FaultClass::ca_outage, "refused", Target::ca, 20 * day, 5min, 12h},
    {FaultClass::ca_outage, "unavailable", Target::ca, 20 * day, 5min, 12h},
    {FaultClass::ca_outage, "no-answer", Target::ca, 40 * day, 10min, 8h},
    {FaultClass::ca_outage, "dead", Target::ca, 250 * day, day, 12 * day},
    {FaultClass::ca_errors, "5xx", Target::ca, 30 * day, 1h, 2 * day},
    {FaultClass::ca_errors, "429", Target::ca, 40 * day, 1h, day},
    {FaultClass::ca_errors, "nonces", Target::ca, 30 * day, 1h, 3 * day},
    {FaultClass::ca_errors, "lost", Target::ca, 30 * day, 1h, 2 * day},
    {FaultClass::ca_errors, "garbage", Target::ca, 30 * day, 1h, day},
    {FaultClass::ca_errors, "slow", Target::ca, 40 * day, 1h, 3 * day},
    {FaultClass::ari, "early", Target::ca, 90 * day, day, 3 * day},
    {FaultClass::ari, "late", Target::ca, 60 * day, day, 20 * day},
    {FaultClass::ari, "reversed", Target::ca, 60 * day, day, 20 * day},
    {FaultClass::ari, "garbage", Target::ca, 60 * day, day, 20 * day},
    {FaultClass::ari, "gone", Target::ca, 60 * day, day, 20 * day},
    {FaultClass::ari, "replaces", Target::ca, 60 * day, day, 20 * day},
    {FaultClass::dns, "servfail", Target::certificate, 200 * day, 1h, 3 * day},
    {FaultClass::dns, "timeout", Target::certificate, 200 * day, 1h, 2 * day},
    {FaultClass::dns, "split", Target::certificate, 300 * day, 6h, 6 * day},
    {FaultClass::dns, "vanish", Target::certificate, 400 * day, day, 20 * day},
    {FaultClass::dns, "gone", Target::certificate, 3000 * day, 20 * day, 60 * day},
    {FaultClass::dns, "one-gone", Target::certificate, 1500 * day, 0s, 0s},
    {FaultClass::dns, "resolver", Target::world, 90 * day, 10min, day},
    {FaultClass::disk, "full", Target::world, 40 * day, 10min, 2 * day},
    {FaultClass::disk, "read-only", Target::world, 60 * day, 10min, day},
    {FaultClass::disk, "once", Target::world, 5 * day, 0s, 0s},
    {FaultClass::crash, "kill", Target::world, 6 * day, 0s, 0s},
    {FaultClass::crash, "power", Target::world, 8 * day, 0s, 0s},
    {FaultClass::crash, "restart", Target::world, 15 * day, 0s, 0s},
    {FaultClass::crash, "down", Target::world, 90 * day, 0s, 0s},
    {FaultClass::hook, "hangs", Target::host, 120 * day, 1h, 2 * day},
    {FaultClass::hook, "fails", Target::host, 120 * day, 1h, 5 * day},
    {FaultClass::hook, "half", Target::host, 120 * day, 1h, 2 * day},
    {FaultClass::hook, "later", Target::host, 120 * day, 1h, day},
    {FaultClass::service, "ignores-reload", Target::host, 150 * day, 1h, 4 * day},
    {FaultClass::service, "unreachable", Target::host, 150 * day, 1h, 4 * day},
    {FaultClass::service, "restored", Target::host, 100 * day, 0s, 0s},
    {FaultClass::clock, "step", Target::world, 60 * day, 1h, 3 * day},
    {FaultClass::rate, "tight", Target::ca, 60 * day, day, 5 * day},
    {FaultClass::revoke, "revoke", Target::certificate, 700 * day, 0s, 0s},
};

std::size_t count_of(Target target, const FleetSize& size) {
  switch (target) {
    case Target::world:
      return 1;
    case Target::ca:
      return size.cas;
    case Target::host:
      return size.hosts;
    case Target::certificate:
      return size.certificates;
  }
  return 0;
}

Duration between(SeededRandom& random, Duration shortest, Duration longest) {
  const auto span = static_cast<std::uint64_t>((longest - shortest).count());
  return shortest + Duration(static_cast<Duration::rep>(random.below(span + 1)));
}

class Plan {
 public:
  explicit Plan(const Scenario& scenario)
      : length_(day * scenario.days), quiet_(quiet_times(length_)) {}

  // One after the other for each target, so that a kind never overlaps with itself there.
  void add(const Row& row, std::size_t target, SeededRandom& random) {
    for (Duration at = between(random, 0s, 2 * row.every); at < length_;
         at += between(random, 0s, 2 * row.every)) {
      Fault fault{row.fault, row.kind, at, at, target, random.next()};
      fault.until += between(random, row.shortest, row.longest);
      at = fault.until;
      fault.until = std::min(fault.until, next_quiet(fault.from));
      if (!in_quiet(fault.from)) faults.push_back(std::move(fault));
    }
  }

  std::vector<Fault> faults;

 private:
  bool in_quiet(Duration at) const {
    return std::any_of(quiet_.begin(), quiet_.end(),
                       [at](Duration begin) { return at >= begin && at < begin + quiet_time; });
  }
  Duration next_quiet(Duration at) const {
    const auto next = std::lower_bound(quiet_.begin(), quiet_.end(), at);
    return next == quiet_.end() ? length_ : *next;
  }

  Duration length_;
  std::vector<Duration> quiet_;
};

}  // namespace

std::vector<Duration> quiet_times(Duration length) {
  std::vector<Duration> begins;
  const Duration last = std::max<Duration>(length - quiet_time, 0s);
  for (Duration begin = quiet_every - quiet_time; begin + 2 * quiet_time < last;
       begin += quiet_every)
    begins.push_back(begin);
  begins.push_back(last);
  return begins;
}

std::vector<Fault> plan_faults(const Scenario& scenario, const FleetSize& size) {
  Plan plan(scenario);
  SeededRandom seeds(scenario.seed ^ 0x6661756c7473U);
  for (const Row& row : rows) {
    SeededRandom of_row = seeds.branch();
    if (!scenario.faults.contains(row.fault)) continue;
    for (std::size_t target = 0; target < count_of(row.target, size); ++target) {
      SeededRandom of_target = of_row.branch();
      plan.add(row, target, of_target);
    }
  }
  std::vector<Fault>& faults = plan.faults;
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.from < b.from; });
  const auto size_now = static_cast<unsigned>(faults.size());
  const unsigned last = std::min(scenario.last_fault, size_now);
  const unsigned first = std::min(scenario.first_fault, last);
  return {faults.begin() + first, faults.begin() + last};
}

}  // namespace nolapse
