// Where the time of a run went.
#include "agent/core/time_spent.h"

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"

using namespace nolapse;
using namespace std::chrono_literals;

TEST_CASE("each moment belongs to one phase, and what took no time is not told") {
  using Phase = TimeSpent::Phase;
  FakeClock clock(*acme::parse_rfc3339("2026-11-23T09:00:00Z"));
  TimeSpent spent(clock);
  CHECK(spent.text().empty());
  clock.run_for(30ms);
  spent.enter(Phase::ca);
  clock.run_for(400ms);
  spent.enter(Phase::waiting);
  clock.run_for(61s);
  spent.enter(Phase::ca);
  clock.run_for(12ms);
  spent.enter(Phase::proof);
  clock.run_for(4ms);
  spent.enter(Phase::nolapse);
  CHECK(spent.in(Phase::ca) == 412ms);
  CHECK(spent.in(Phase::waiting) == 61s);
  CHECK(spent.in(Phase::nolapse) == 30ms);
  CHECK(spent.in(Phase::hooks) == 0ms);
  CHECK(spent.text() == "0.41s the CA, 61.00s waiting for the CA, 0.03s nolapse itself");
}
