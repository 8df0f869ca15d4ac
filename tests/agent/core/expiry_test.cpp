// Who is told when: thresholds as a table over lifetimes.
#include "agent/core/expiry.h"

#include <doctest/doctest.h>

#include "agent/core/schedule.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time start = *acme::parse_rfc3339("2026-11-23T09:00:00Z");

acme::Certificate leaf_of(Duration lifetime) {
  acme::Certificate leaf;
  leaf.not_before = start;
  leaf.not_after = start + lifetime;
  return leaf;
}

}  // namespace

TEST_CASE("30, 15 and 7 days shrink together with what is left at the planned renewal") {
  struct Row {
    Duration lifetime;
    std::array<Duration, 3> thresholds;
  };
  const Row rows[] = {
      {398 * 24h, {30 * 24h, 15 * 24h, 7 * 24h}},
      {90 * 24h, {27 * 24h, 324h, 9072min}},      // renewed with 30 days left
      {64 * 24h, {27648min, 13824min, 387072s}},  // 21.3
      {45 * 24h, {324h, 162h, 4536min}},          // 15
      {10 * 24h, {72h, 36h, 1008min}},            // 3.3
      {6 * 24h, {3888min, 1944min, 54432s}},      // 3
  };
  for (const Row& row : rows) {
    CAPTURE(row.lifetime.count());
    const acme::Certificate leaf = leaf_of(row.lifetime);
    const Time planned = renewal_point(leaf, {});
    const auto thresholds = expiry_thresholds(leaf, planned);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(thresholds[i] > row.thresholds[i] - 1min);
      CHECK(thresholds[i] < row.thresholds[i] + 1min);
    }
    // On schedule nobody is told, a tenth later somebody is.
    CHECK(expiry_step(leaf, planned, planned) == 0);
    CHECK(expiry_step(leaf, planned, leaf.not_after - thresholds[0]) == 1);
    CHECK(expiry_step(leaf, planned, leaf.not_after - thresholds[1]) == 2);
    CHECK(expiry_step(leaf, planned, leaf.not_after - thresholds[2]) == 3);
    CHECK(expiry_step(leaf, planned, leaf.not_after - 1s) == 3);
    CHECK(expiry_step(leaf, planned, leaf.not_after) == 4);
  }
}

TEST_CASE("the next step is the moment at which somebody must be told") {
  const acme::Certificate leaf = leaf_of(90 * 24h);
  const Duration day = 24h;
  CHECK(next_expiry_step(leaf, {}, start) == leaf.not_after - 30 * day);
  CHECK(next_expiry_step(leaf, {}, leaf.not_after - 30 * day) == leaf.not_after - 15 * day);
  CHECK(next_expiry_step(leaf, {}, leaf.not_after - 7 * day) == leaf.not_after);
  CHECK_FALSE(next_expiry_step(leaf, {}, leaf.not_after).has_value());
}

TEST_CASE("a certificate that nobody renews gets the plain days") {
  const acme::Certificate leaf = leaf_of(90 * 24h);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 30 * 24h - 1s) == 0);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 30 * 24h) == 1);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 15 * 24h) == 2);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 7 * 24h) == 3);
}

TEST_CASE("a plan past the end, or before the beginning, is no reason for silence or noise") {
  const acme::Certificate leaf = leaf_of(90 * 24h);
  CHECK(expiry_step(leaf, leaf.not_after + 1h, leaf.not_after - 1s) == 0);
  CHECK(expiry_step(leaf, leaf.not_after + 1h, leaf.not_after) == 4);
  CHECK(expiry_step(leaf, start - 1h, leaf.not_after - 31 * 24h) == 0);
  CHECK(expiry_step(leaf, start - 1h, leaf.not_after - 29 * 24h) == 1);
}

TEST_CASE("other days than the usual ones are kept to, and shrink as these do") {
  acme::Certificate leaf;
  leaf.not_before = start;
  leaf.not_after = start + 90 * 24h;
  const ExpiryDays days = {60 * 24h, 20 * 24h, 2 * 24h};
  CHECK(expiry_step(leaf, {}, leaf.not_after - 60 * 24h, days) == 1);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 20 * 24h, days) == 2);
  CHECK(expiry_step(leaf, {}, leaf.not_after - 2 * 24h, days) == 3);
  // Renewed when 30 days are left, with a tenth of grace.
  const auto thresholds = expiry_thresholds(leaf, leaf.not_after - 30 * 24h, days);
  CHECK(thresholds[0] == 27 * 24h);
  CHECK(thresholds[1] == 9 * 24h);
}

TEST_CASE("each step is told at once, and again every day while it lasts") {
  CHECK_FALSE(must_tell_expiry({}, 0, start));
  CHECK(must_tell_expiry({}, 1, start));
  CHECK_FALSE(must_tell_expiry({1, start}, 1, start + 23h));
  CHECK(must_tell_expiry({1, start}, 1, start + 24h));
  CHECK(must_tell_expiry({1, start}, 2, start + 1h));
  CHECK_FALSE(must_tell_expiry({2, start}, 1, start + 1h));
  CHECK(must_tell_expiry({1, start + 9h}, 1, start));  // told by a clock that ran ahead
}
