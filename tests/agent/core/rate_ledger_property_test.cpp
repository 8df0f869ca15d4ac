// The rate ledger over long stretches of time: against a CA that counts for itself, and as a bound
// on what a daemon can do that asks without end.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

#include "agent/core/rate_ledger.h"
#include "agent/core/rate_ledger_document.h"
#include "tests/support/seeded_random.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
const std::vector<acme::Identifier> shop = {{"dns", "shop.test"}};

RateLedger restarted(const RateLedger& ledger) {
  return RateLedger(RateLimits{}, *read_rate_ledger(write_document(ledger.state())));
}

// A CA that counts for itself, in another way: tokens that come back one by one.
struct CountingCa {
  RateLimit limit;
  std::int64_t tokens = limit.capacity;
  Time next{};  // when the next token comes back

  void advance(Time at) {
    for (; tokens < limit.capacity && next <= at; next += limit.refill) ++tokens;
  }
  void spend(Time at) {
    if (tokens == limit.capacity) next = at + limit.refill;
    --tokens;
  }
};

}  // namespace

TEST_CASE("over years of chance the ledger agrees with the CA, and the daemon spends no last one") {
  for (const RateLimitKind kind :
       {RateLimitKind::certificates_per_set, RateLimitKind::failed_validations}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(name_of(kind));
      CAPTURE(seed);
      SeededRandom random(seed);
      RateLedger ledger{RateLimits{}};
      CountingCa ca{RateLimits{}.of(kind)};
      const auto refill = static_cast<std::uint64_t>(ca.limit.refill / 1s);
      Time at = now;
      for (int i = 0; i < 2000; ++i) {
        at += std::chrono::seconds(random.below(random.chance(20) ? refill * 6 : refill / 2));
        ca.advance(at);
        if (random.chance(10)) ledger = restarted(ledger);
        if (random.chance(10)) ledger.prune(at);
        const Who who = random.chance(30) ? Who::person : Who::daemon;
        const RateVerdict verdict = ledger.may_order(shop, OrderKind::same_set, who, at);
        REQUIRE(verdict.allowed == (ca.tokens >= (who == Who::daemon ? 2 : 1)));
        if (verdict.limit == name_of(kind)) REQUIRE(verdict.left == ca.tokens);
        if (!verdict.allowed) {
          CountingCa later = ca;
          later.advance(verdict.until - 1ms);
          REQUIRE(later.tokens == (who == Who::daemon ? 1 : 0));
        } else {
          ca.spend(at);
          if (kind == RateLimitKind::certificates_per_set) {
            ledger.record_certificate(shop, OrderKind::same_set, at);
          } else {
            ledger.record_failed_validation(shop[0], at);
          }
        }
      }
    }
  }
}

TEST_CASE("a daemon that asks without end stays within what the CA gives in any stretch of time") {
  struct Row {
    RateLimit limit;
    Duration window;
    std::size_t most;
  };
  const Row rows[] = {
      // Let's Encrypt's own bucket gives 5 at once and one more each 34 h; the daemon leaves one.
      {RateLimits{}.certificates_per_set, 34h, 4},
      {RateLimits{}.certificates_per_set, 7 * 24h, 8},
      {RateLimits{}.failed_validations, 12min, 4},
      {RateLimits{}.failed_validations, 1h, 8},
      // A CA that counts over a sliding window is never exceeded.
      {RateLimit::for_window(5, 7 * 24h), 7 * 24h, 5},
      {RateLimit::for_window(4, 7 * 24h), 7 * 24h, 4},
      {RateLimit::for_window(2, 1h), 1h, 2},
      {RateLimit::for_window(1, 1h), 1h, 1},
      {RateLimit::for_window(50, 7 * 24h), 7 * 24h, 50},
  };
  for (const Row& row : rows) {
    for (const Who who : {Who::daemon, Who::person}) {
      CAPTURE(row.window.count());
      CAPTURE(row.most);
      if (who == Who::person && row.limit.capacity == 5) continue;
      RateLimits limits = RateLimits::none();
      limits.certificates_per_set = row.limit;
      RateLedger ledger(limits);
      std::deque<Time> recent;
      std::size_t seen = 0;
      const Duration step = row.window / 97;
      for (Time at = now; at < now + 30 * row.window; at += step) {
        while (ledger.may_order(shop, OrderKind::new_set, who, at).allowed) {
          ledger.record_certificate(shop, OrderKind::new_set, at);
          recent.push_back(at);
        }
        std::erase_if(recent, [&](Time event) { return event + row.window <= at; });
        seen = std::max(seen, recent.size());
      }
      CHECK(seen <= row.most);
      CHECK(seen > 0);
    }
  }
  CHECK(RateLimit::for_window(0, 1h).capacity == 0);
  CHECK(RateLimit::for_window(5, 0s).capacity == 0);
}
