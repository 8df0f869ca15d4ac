// What is left at a CA by our own count, as tables over time.
#include "agent/core/rate_ledger.h"

#include <doctest/doctest.h>

#include "agent/core/rate_ledger_document.h"

using namespace nolapse;
using namespace std::chrono_literals;
using acme::Identifier;

namespace {

using Names = std::vector<Identifier>;

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
const Names shop = {{"dns", "shop.test"}, {"dns", "www.shop.test"}};
const Names other = {{"dns", "other.example"}};

RateLedger fresh() {
  return RateLedger(RateLimits{});
}

RateLedger with(RateLimitKind kind, RateLimit limit) {
  RateLimits limits = RateLimits::none();
  limits.of(kind) = limit;
  return RateLedger(limits);
}

RateLedger reread(const RateLedger& ledger) {
  const auto state = read_rate_ledger(write_document(ledger.state()));
  REQUIRE(state);
  return RateLedger(RateLimits{}, *state);
}

// Duplicates left for `names`, everything else being unlimited or plentiful.
std::int64_t duplicates_left(const RateLedger& ledger, const Names& names, Time at) {
  const RateVerdict verdict = ledger.may_order(names, OrderKind::same_set, Who::person, at);
  REQUIRE(verdict.limit == "certificates_per_set");
  return verdict.left;
}

void issue(RateLedger& ledger, int count, Time at) {
  for (int i = 0; i < count; ++i) ledger.record_certificate(shop, OrderKind::same_set, at);
}

void fail_validation(RateLedger& ledger, const std::string& name, int count, Time at) {
  for (int i = 0; i < count; ++i) ledger.record_failed_validation({"dns", name}, at);
}

}  // namespace

TEST_CASE("an unused ledger allows an order and says what it costs") {
  for (const Who who : {Who::daemon, Who::person, Who::person_again}) {
    const RateVerdict verdict = fresh().may_order(shop, OrderKind::new_set, who, now);
    CHECK(verdict.allowed);
    CHECK(verdict.until == now);
    CHECK(verdict.left == 5);
    CHECK_FALSE(verdict.spends_last);
    CHECK(verdict.text ==
          "5 of 5 duplicate certificates left by our count, one comes back every 1d 10h; "
          "this order costs 1");
  }
}

TEST_CASE("a token comes back after each refill, up to the capacity") {
  struct Row {
    Duration after;
    std::int64_t left;
  };
  const Row rows[] = {{0s, 2},         {34h - 1ms, 2}, {34h, 3},  {68h - 1ms, 3}, {68h, 4},
                      {102h - 1ms, 4}, {102h, 5},      {103h, 5}, {1000 * 24h, 5}};
  RateLedger ledger = fresh();
  issue(ledger, 3, now);
  for (const Row& row : rows) {
    CAPTURE(row.after.count());
    CHECK(duplicates_left(ledger, shop, now + row.after) == row.left);
  }
  // A refill under way is not lost by spending, nor by looking.
  ledger.record_certificate(shop, OrderKind::same_set, now + 33h);
  CHECK(duplicates_left(ledger, shop, now + 33h) == 1);
  CHECK(duplicates_left(ledger, shop, now + 34h) == 2);
}

TEST_CASE("the daemon leaves the last one to a person, who may spend it, and then asks again") {
  struct Row {
    int spent;
    Who who;
    bool allowed;
    Duration wait;
    std::int64_t left;
    bool spends_last;
  };
  const Row rows[] = {
      {3, Who::daemon, true, 0s, 2, false},  {4, Who::daemon, false, 34h, 1, true},
      {5, Who::daemon, false, 68h, 0, true}, {4, Who::person, true, 0s, 1, true},
      {5, Who::person, false, 34h, 0, true}, {5, Who::person_again, true, 0s, 0, true},
      {9, Who::person, false, 34h, 0, true},  // the CA gave more than we thought it had
  };
  for (const Row& row : rows) {
    CAPTURE(row.spent);
    CAPTURE(static_cast<int>(row.who));
    RateLedger ledger = fresh();
    issue(ledger, row.spent, now);
    const RateVerdict verdict = ledger.may_order(shop, OrderKind::same_set, row.who, now);
    CHECK(verdict.allowed == row.allowed);
    CHECK(verdict.until == now + row.wait);
    CHECK(verdict.limit == "certificates_per_set");
    CHECK(verdict.left == row.left);
    CHECK(verdict.spends_last == row.spends_last);
    CHECK(ledger.may_order(shop, OrderKind::same_set, row.who, verdict.until).allowed);
    if (row.allowed) continue;
    CHECK_FALSE(ledger.may_order(shop, OrderKind::same_set, row.who, verdict.until - 1ms).allowed);
  }
}

TEST_CASE("what a person reads is one line that says what is left and what to do") {
  const auto text = [](int spent, Who who) {
    RateLedger ledger = fresh();
    fail_validation(ledger, "shop.test", spent, now);
    return ledger.may_order(shop, OrderKind::same_set, who, now).text;
  };
  const auto count = [](const std::string& left) {
    return left +
           " of 5 failed validations of shop.test left by our count, "
           "one comes back every 12m; ";
  };
  CHECK(text(3, Who::daemon) == count("2") + "this order costs 1 if it fails");
  CHECK(text(4, Who::person) == count("1") + "this order costs 1 if it fails");
  CHECK(text(4, Who::daemon) == count("1") +
                                    "the last is a person's (renew --force), renewals without it "
                                    "go on at 2026-11-23T09:12:00Z");
  CHECK(text(5, Who::daemon) == count("0") + "renewals go on at 2026-11-23T09:24:00Z");
  CHECK(text(5, Who::person) ==
        count("0") + "the next is there at 2026-11-23T09:12:00Z, --again asks the CA all the same");
  CHECK(text(5, Who::person_again) == count("0") + "asking the CA all the same");
}

TEST_CASE("one name's failed validations hold up the orders that contain it and no others") {
  RateLedger ledger = fresh();
  fail_validation(ledger, "*.shop.test", 5, now);  // validated as shop.test
  const auto allowed = [&](const Names& names) {
    return ledger.may_order(names, OrderKind::new_set, Who::person, now).allowed;
  };
  CHECK_FALSE(allowed(shop));
  CHECK_FALSE(allowed({{"dns", "*.shop.test"}}));
  CHECK(allowed({{"dns", "www.shop.test"}}));
  CHECK(allowed(other));
}

TEST_CASE("a bucket of one keeps nothing back, or the daemon could never order") {
  RateLedger ledger = with(RateLimitKind::certificates_per_set, {1, 24h});
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).allowed);
  issue(ledger, 1, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).until == now + 24h);
}

TEST_CASE("each kind of order is held up by the limits that count it") {
  struct Row {
    RateLimitKind kind;
    bool new_set, same_set, inside_window;  // allowed?
  };
  const Row rows[] = {
      {RateLimitKind::certificates_per_set, false, false, true},
      {RateLimitKind::failed_validations, false, false, true},
      {RateLimitKind::certificates_per_domain, false, true, true},
      {RateLimitKind::orders_per_account, false, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(name_of(row.kind));
    RateLedger ledger = with(row.kind, {1, 1h});
    ledger.record_order(OrderKind::new_set, now);
    ledger.record_certificate(shop, OrderKind::new_set, now);
    fail_validation(ledger, "shop.test", 1, now);
    const auto allowed = [&](OrderKind kind) {
      const RateVerdict verdict = ledger.may_order(shop, kind, Who::person, now);
      CHECK(verdict.limit == (verdict.allowed ? "" : name_of(row.kind)));
      CHECK(verdict.until == (verdict.allowed ? now : now + 1h));
      return verdict.allowed;
    };
    CHECK(allowed(OrderKind::new_set) == row.new_set);
    CHECK(allowed(OrderKind::same_set) == row.same_set);
    CHECK(allowed(OrderKind::inside_window) == row.inside_window);
  }
}

TEST_CASE("what an order under way may cost is held for it, for the daemon and for a person") {
  struct Row {
    RateLimitKind kind;
    OrderKind held_for;
    Names names;
    std::int64_t left;  // of 5, for `shop`
  };
  const Row rows[] = {
      {RateLimitKind::certificates_per_set, OrderKind::new_set, shop, 4},
      {RateLimitKind::certificates_per_set, OrderKind::same_set, shop, 4},
      // Our count has its certificate as a duplicate, too.
      {RateLimitKind::certificates_per_set, OrderKind::inside_window, shop, 4},
      {RateLimitKind::certificates_per_set, OrderKind::new_set, {shop[0]}, 5},
      {RateLimitKind::failed_validations, OrderKind::same_set, {shop[0], other[0]}, 4},
      {RateLimitKind::failed_validations, OrderKind::same_set, other, 5},
      {RateLimitKind::failed_validations,
       OrderKind::new_set,
       {{"dns", "shop.test"}, {"dns", "*.shop.test"}},
       3},
      {RateLimitKind::certificates_per_domain, OrderKind::new_set, {{"dns", "x.shop.test"}}, 4},
      {RateLimitKind::certificates_per_domain, OrderKind::same_set, shop, 5},
      {RateLimitKind::orders_per_account, OrderKind::new_set, other, 4},
      {RateLimitKind::orders_per_account, OrderKind::same_set, other, 5},
  };
  for (const Row& row : rows) {
    CAPTURE(name_of(row.kind));
    CAPTURE(row.left);
    RateLedger ledger = with(row.kind, {5, 1h});
    const auto left = [&](Who who) {
      return ledger.may_order(shop, OrderKind::new_set, who, now).left;
    };
    for (const RateCosts& costs :
         {costs_of_creation(row.held_for), costs_of_outcome(row.names, row.held_for)}) {
      ledger.hold(costs);
    }
    CHECK(left(Who::daemon) == row.left);
    CHECK(left(Who::person) == row.left);
    ledger.release(costs_of_creation(row.held_for));
    ledger.release(costs_of_outcome(row.names, row.held_for));
    CHECK(left(Who::daemon) == 5);
  }
}

TEST_CASE("who is refused for what is only held asks again soon, or when it came back") {
  struct Row {
    Duration refill;
    int spent, held;
    Duration wait;  // zero: allowed
  };
  const Row rows[] = {
      {34h, 0, 3, 0s},    {34h, 0, 4, 10min},   {34h, 0, 9, 10min}, {34h, 3, 0, 0s},
      {34h, 3, 1, 10min}, {34h, 4, 0, 34h},     {34h, 4, 1, 34h},   {36s, 0, 4, 36s},
      {36s, 0, 6, 108s},  {12min, 4, 1, 12min},
  };
  for (const Row& row : rows) {
    CAPTURE(row.spent);
    CAPTURE(row.held);
    RateLedger ledger = with(RateLimitKind::certificates_per_set, {5, row.refill});
    issue(ledger, row.spent, now);
    for (int i = 0; i < row.held; ++i) ledger.hold(costs_of_outcome(shop, OrderKind::same_set));
    const RateVerdict verdict = ledger.may_order(shop, OrderKind::same_set, Who::daemon, now);
    CHECK(verdict.allowed == (row.wait == 0s));
    CHECK(verdict.until == now + row.wait);
  }
  RateLedger ledger = fresh();
  for (int i = 0; i < 4; ++i) ledger.hold(costs_of_outcome(other, OrderKind::same_set));
  CHECK(ledger.may_order(other, OrderKind::same_set, Who::daemon, now).text ==
        "1 of 5 duplicate certificates left by our count, 4 held for orders under way, "
        "one comes back every 1d 10h; the last is a person's (renew --force), renewals "
        "without it go on at 2026-11-23T09:10:00Z");
}

TEST_CASE("a name beside its wildcard may fail twice, so that two and the last have to be left") {
  const Names both = {{"dns", "shop.test"}, {"dns", "*.shop.test"}};
  for (const int spent : {2, 3, 4}) {
    CAPTURE(spent);
    RateLedger ledger = fresh();
    fail_validation(ledger, "shop.test", spent, now);
    const RateVerdict verdict = ledger.may_order(both, OrderKind::new_set, Who::daemon, now);
    CHECK(verdict.allowed == (spent == 2));
    CHECK(verdict.until == now + (spent - 2) * 12min);
    CHECK(ledger.may_order(both, OrderKind::new_set, Who::person, now).spends_last == (spent > 2));
  }
}

TEST_CASE("little time goes past our estimate, not past failed validations and the CA's word") {
  constexpr Duration far = 100h;
  struct Row {
    bool duplicates, failures, ca;  // used up
    Duration little_in;             // until little time is left
    bool allowed;
    Duration until;
    const char* limit;
  };
  const Row rows[] = {
      {true, false, false, 1h, false, 1h + 1s, "certificates_per_set"},
      {true, false, false, far, false, 68h, "certificates_per_set"},
      {true, false, false, -1s, true, 0s, "certificates_per_set"},
      {false, true, false, -1s, false, 24min, "failed_validations"},
      {false, false, true, -1s, false, 5h, "retry_after"},
      {true, true, false, -1s, false, 24min, "failed_validations"},
      {true, true, false, 1min, false, 24min, "certificates_per_set"},
      {true, false, true, -1s, false, 5h, "retry_after"},
      {true, false, true, 1h, false, 5h, "certificates_per_set"},
      {true, true, true, -1s, false, 5h, "retry_after"},
      {false, false, false, -1s, true, 0s, "certificates_per_set"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.duplicates);
    CAPTURE(row.failures);
    CAPTURE(row.ca);
    CAPTURE(row.little_in.count());
    RateLedger ledger = fresh();
    if (row.duplicates) issue(ledger, 5, now);
    if (row.failures) fail_validation(ledger, "shop.test", 5, now);
    if (row.ca) ledger.record_retry_after(shop, now + 5h, now);
    const RateVerdict verdict =
        ledger.may_renew(shop, OrderKind::same_set, now + row.little_in, now);
    CHECK(verdict.allowed == row.allowed);
    CHECK(verdict.past_estimate == (row.allowed && row.duplicates));
    CHECK(verdict.until == now + row.until);
    CHECK(verdict.limit == row.limit);
  }
}

TEST_CASE("inside the CA's window the daemon still keeps the last failed validation") {
  RateLedger ledger = fresh();
  issue(ledger, 5, now);
  CHECK(ledger.may_order(shop, OrderKind::inside_window, Who::daemon, now).allowed);
  fail_validation(ledger, "shop.test", 4, now);
  const RateVerdict verdict = ledger.may_order(shop, OrderKind::inside_window, Who::daemon, now);
  CHECK(verdict.until == now + 12min);
  CHECK(verdict.limit == "failed_validations");
  CHECK(ledger.may_order(shop, OrderKind::inside_window, Who::person, now).text ==
        "the CA counts no renewal inside its window");
}

TEST_CASE("an order spends what the CA counts for its kind, a certificate is always a duplicate") {
  struct Row {
    OrderKind kind;
    std::size_t accounts, domains, sets;  // buckets that are no longer full
  };
  for (const Row& row : {Row{OrderKind::new_set, 1, 1, 1}, Row{OrderKind::same_set, 0, 0, 1},
                         Row{OrderKind::inside_window, 0, 0, 1}}) {
    RateLedger ledger = fresh();
    ledger.record_order(row.kind, now);
    ledger.record_certificate(shop, row.kind, now);
    const auto touched = [&](RateLimitKind kind) {
      return ledger.state().full_at[static_cast<std::size_t>(kind)].size();
    };
    CHECK(touched(RateLimitKind::orders_per_account) == row.accounts);
    CHECK(touched(RateLimitKind::certificates_per_domain) == row.domains);
    CHECK(touched(RateLimitKind::certificates_per_set) == row.sets);
    CHECK(touched(RateLimitKind::failed_validations) == 0);
  }
}

TEST_CASE("names share a domain's bucket by their last two labels, addresses by their network") {
  struct Row {
    Identifier issued;
    Identifier asked;
    bool shared;
  };
  const Row rows[] = {
      {{"dns", "a.shop.test"}, {"dns", "b.shop.test"}, true},
      {{"dns", "*.shop.test"}, {"dns", "shop.test"}, true},
      {{"dns", "a.b.c.shop.test"}, {"dns", "shop.test"}, true},
      {{"dns", "shop.test"}, {"dns", "barbershop.test"}, false},
      {{"dns", "shop.test"}, {"dns", "shop.example"}, false},
      {{"dns", "a.co.uk"}, {"dns", "b.co.uk"}, false},  // strangers
      {{"dns", "www.a.co.uk"}, {"dns", "*.a.co.uk"}, true},
      {{"dns", "a.github.io"}, {"dns", "b.github.io"}, false},
      {{"dns", "co.uk"}, {"dns", "co.uk"}, true},
      {{"dns", "intranet"}, {"dns", "intranet"}, true},
      {{"dns", "intranet"}, {"dns", "a.intranet"}, false},
      {{"ip", "192.0.2.1"}, {"ip", "192.0.2.1"}, true},
      {{"ip", "192.0.2.1"}, {"ip", "192.1.2.1"}, false},
      {{"ip", "2001:db8::1"}, {"ip", "2001:db8::2:0:0:1"}, true},
      {{"ip", "2001:db8::1"}, {"ip", "2001:db8:0:1::1"}, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.issued.value);
    CAPTURE(row.asked.value);
    RateLedger ledger = with(RateLimitKind::certificates_per_domain, {1, 1h});
    ledger.record_certificate({row.issued}, OrderKind::new_set, now);
    CHECK(ledger.may_order({row.asked}, OrderKind::new_set, Who::daemon, now).allowed !=
          row.shared);
  }
  // Two names of a domain in one certificate cost one.
  RateLedger ledger = with(RateLimitKind::certificates_per_domain, {2, 1h});
  ledger.record_certificate(shop, OrderKind::new_set, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).left == 1);
}

TEST_CASE("a set of names is the same in any order and with repetitions") {
  RateLedger ledger = fresh();
  issue(ledger, 2, now);
  CHECK(duplicates_left(ledger, {shop[1], shop[0], shop[1]}, now) == 3);
  CHECK(duplicates_left(ledger, {shop[0]}, now) == 5);
}

TEST_CASE("of several limits the one that holds longest decides, else the scarcest is named") {
  RateLedger ledger = fresh();
  fail_validation(ledger, "shop.test", 2, now);
  issue(ledger, 1, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::person, now).limit == "failed_validations");
  fail_validation(ledger, "shop.test", 3, now);
  issue(ledger, 4, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::person, now).until == now + 34h);
  ledger.record_retry_after(shop, now + 35h, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::person, now).until == now + 35h);
}

TEST_CASE("the CA's Retry-After holds for its names or its account, and over a restart") {
  RateLedger ledger = fresh();
  ledger.record_retry_after(shop, now + 2h, now);
  ledger = reread(ledger);
  for (const OrderKind kind : {OrderKind::new_set, OrderKind::same_set, OrderKind::inside_window}) {
    for (const Who who : {Who::daemon, Who::person}) {
      const RateVerdict verdict = ledger.may_order(shop, kind, who, now + 2h - 1ms);
      CHECK_FALSE(verdict.allowed);
      CHECK(verdict.until == now + 2h);
      CHECK(verdict.limit == "retry_after");
      CHECK(ledger.may_order(shop, kind, who, now + 2h).allowed);
    }
    CHECK(ledger.may_order(shop, kind, Who::person_again, now).allowed);
    CHECK(ledger.may_order(other, kind, Who::daemon, now).allowed);
  }
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::person, now).text ==
        "the CA asks to wait until 2026-11-23T11:00:00Z with the next order for these names; "
        "--again asks it all the same");

  ledger.record_account_retry_after(now + 3h, now);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).text ==
        "the CA asks to wait until 2026-11-23T12:00:00Z with the next order of this account");
  CHECK(ledger.may_order(other, OrderKind::new_set, Who::daemon, now).until == now + 3h);
  // A shorter wait, perhaps for another reason, does not end a longer one; nothing is for ever.
  ledger.record_account_retry_after(now + 1min, now);
  CHECK(ledger.may_order(other, OrderKind::new_set, Who::daemon, now).until == now + 3h);
  ledger.record_account_retry_after(now + 10000 * 24h, now);
  CHECK(ledger.may_order(other, OrderKind::new_set, Who::daemon, now).until == now + 30 * 24h);
}

TEST_CASE("without limits all is allowed and nothing is kept, but the CA's own word counts") {
  RateLedger ledger(RateLimits::none());
  for (int i = 0; i < 1000; ++i) {
    ledger.record_order(OrderKind::new_set, now);
    ledger.record_certificate(shop, OrderKind::new_set, now);
    fail_validation(ledger, "shop.test", 1, now);
  }
  CHECK(ledger.state() == RateLedgerState{});
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).allowed);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).limit.empty());
  ledger.record_retry_after(shop, now + 1h, now);
  CHECK_FALSE(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).allowed);
}

TEST_CASE("absurd limits neither overflow nor lock out") {
  for (const RateLimit limit : {RateLimit{-1, 1h}, RateLimit{5, 0s}, RateLimit{5, -1h},
                                RateLimit{INT64_MAX, Duration::max()}, RateLimit{0, 1h}}) {
    RateLedger ledger = with(RateLimitKind::certificates_per_set, limit);
    issue(ledger, 3, now);
    CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).allowed);
    ledger.prune(now);
  }
}

TEST_CASE("a clock that is set back makes no tokens and does not lock out") {
  for (const Duration step : {1s, 3600s, 864000s, 315360000s}) {
    CAPTURE(step.count());
    RateLedger ledger = fresh();
    issue(ledger, 4, now);
    const Time back = now - step;
    CHECK(duplicates_left(ledger, shop, back) <= 1);
    ledger.prune(back);
    CHECK(duplicates_left(ledger, shop, back) <= 1);
    // Empty at worst, and filling from here on.
    CHECK(duplicates_left(ledger, shop, back + 34h) >= 1);
    CHECK(duplicates_left(ledger, shop, back + 5 * 34h) == 5);
  }
  // A clock that ran ahead for a while and lost its orders on the way: they count as just spent.
  RateLedger ledger = fresh();
  issue(ledger, 2, now + 5000h);
  CHECK(ledger.prune(now));
  CHECK(duplicates_left(ledger, shop, now) == 0);
  CHECK(duplicates_left(ledger, shop, now + 34h) == 1);
}

TEST_CASE("a clock that is set forward makes no tokens where it was seen") {
  for (const Duration step : {1s, 3600s, 864000s, 315360000s}) {
    CAPTURE(step.count());
    RateLedger ledger = fresh();
    issue(ledger, 4, now);
    const Time later = now + 30h;
    ledger.follow_clock(step, later + step);
    CHECK(duplicates_left(ledger, shop, later + step) == 1);
    CHECK(duplicates_left(ledger, shop, later + step + 4h) == 2);
    CHECK(duplicates_left(ledger, shop, later + step + 4 * 34h) == 5);
  }
  // Long full by then.
  RateLedger ledger = fresh();
  issue(ledger, 4, now);
  ledger.follow_clock(1h, now + 5000h);
  CHECK(duplicates_left(ledger, shop, now + 5000h) == 5);
  // The CA's own wish may be a date.
  ledger.record_account_retry_after(now + 5002h, now + 5000h);
  ledger.follow_clock(240h, now + 5240h);
  CHECK(duplicates_left(ledger, shop, now + 5240h) == 5);
}

TEST_CASE("a wait keeps its length when the clock is set back") {
  RateLedger ledger = fresh();
  ledger.record_account_retry_after(now + 2h, now);
  ledger.record_retry_after(shop, now + 1h, now);
  const Time back = now - 3650 * 24h;
  const auto until = [&](Time at) {
    return ledger.may_order(shop, OrderKind::new_set, Who::person, at).until;
  };
  CHECK(until(back) == back + 2h);
  CHECK(ledger.prune(back));
  CHECK_FALSE(ledger.prune(back));
  CHECK(until(back + 1h) == back + 2h);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::person, back + 2h).allowed);
}

TEST_CASE("pruning drops what is full or over, says whether it did, and changes no answer") {
  RateLedger ledger = fresh();
  CHECK_FALSE(ledger.prune(now));
  ledger.record_order(OrderKind::new_set, now);
  ledger.record_certificate(shop, OrderKind::new_set, now);
  fail_validation(ledger, "shop.test", 2, now);
  ledger.record_retry_after(shop, now + 10min, now);
  struct Row {
    Duration after;
    bool changes;
  };
  const Row rows[] = {{0s, false},   {36s, true},          {10min, true},  {24min - 1s, false},
                      {24min, true}, {202min - 1s, false}, {202min, true}, {34h - 1s, false},
                      {34h, true},   {35h, false}};
  for (const Row& row : rows) {
    CAPTURE(row.after.count());
    const RateLedger unpruned = ledger;
    CHECK(ledger.prune(now + row.after) == row.changes);
    for (const Duration later : {0s, 600s, 7200s, 360000s}) {
      const Time at = now + row.after + later;
      CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, at).text ==
            unpruned.may_order(shop, OrderKind::new_set, Who::daemon, at).text);
    }
  }
  CHECK(ledger.state() == RateLedgerState{});
}

TEST_CASE("a lost ledger is taken to be half spent, for every key, and that wears off") {
  const auto left = [](const RateLedger& ledger, RateLimitKind kind, Time at) {
    RateLimits limits = RateLimits::none();
    limits.of(kind) = RateLimits{}.of(kind);
    const RateLedger one(limits, ledger.state());
    return one.may_order(other, OrderKind::new_set, Who::person, at).left;
  };
  RateLedger ledger = reread(RateLedger::assumed_after_loss(RateLimits{}, now));
  CHECK(left(ledger, RateLimitKind::certificates_per_set, now) == 3);
  CHECK(left(ledger, RateLimitKind::failed_validations, now) == 3);
  CHECK(left(ledger, RateLimitKind::certificates_per_domain, now) == 25);
  CHECK(left(ledger, RateLimitKind::orders_per_account, now) == 150);
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, now).allowed);
  issue(ledger, 1, now);
  CHECK(duplicates_left(ledger, shop, now) == 2);
  CHECK(duplicates_left(ledger, other, now + 34h) == 4);
  // Set back, the loss is not later than now.
  CHECK(left(ledger, RateLimitKind::certificates_per_set, now - 1000h) == 3);

  CHECK_FALSE(ledger.prune(now + 25 * 202min - 1s));
  CHECK(ledger.prune(now + 25 * 202min));
  CHECK_FALSE(ledger.state().assumed_at.has_value());
  CHECK(duplicates_left(ledger, shop, now + 25 * 202min) == 4);

  RateLedger ahead = RateLedger::assumed_after_loss(RateLimits{}, now);
  CHECK(ahead.prune(now - 1000h));
  CHECK(ahead.prune(now - 900h));
  CHECK(ahead.state() == RateLedgerState{});
}

TEST_CASE("a refusal holds for the account where the CA says that it does") {
  for (const char* detail : {"too many new orders (300) from this account in the last 3h0m0s, "
                             "retry after 2026-11-27 10:00:00 UTC",
                             "too many orders by account https://ca.test/account/1"}) {
    CAPTURE(detail);
    CHECK(limits_the_account(detail));
  }
  for (const char* detail :
       {"", "too many certificates (5) already issued for this exact set of identifiers",
        "too many certificates (50) already issued for \"shop.test\" in the last 168h0m0s",
        "too many failed authorizations (5) for \"shop.test\" by this account in the last 1h",
        "Service busy; retry later."}) {
    CAPTURE(detail);
    CHECK_FALSE(limits_the_account(detail));
  }
}
