// The rate ledger as a document: there and back, and everything that is none.
#include "agent/core/rate_ledger_document.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
const std::vector<acme::Identifier> shop = {{"dns", "shop.test"}, {"dns", "www.shop.test"}};

RateLedgerState reread(const RateLedgerState& state) {
  const auto read = read_rate_ledger(write_document(state));
  REQUIRE(read);
  return *read;
}

}  // namespace

TEST_CASE("a ledger comes back as it was saved, rounded so that nothing is ready too early") {
  RateLedger ledger = RateLedger::assumed_after_loss(RateLimits{}, now);
  ledger.record_order(OrderKind::new_set, now + 1ms);
  ledger.record_certificate({{"dns", "*.shop.test"}, {"ip", "2001:db8::1"}}, OrderKind::new_set,
                            now + 1ms);
  ledger.record_failed_validation({"dns", "shop.test"}, now + 1ms);
  ledger.record_retry_after(shop, now + 90min + 1ms, now);
  ledger.record_account_retry_after(now + 2h, now + 999ms);
  const RateLedgerState read = reread(ledger.state());
  for (const RateLimitKind kind : rate_limit_kinds) {
    CAPTURE(name_of(kind));
    const auto& saved = ledger.state().full_at[static_cast<std::size_t>(kind)];
    const auto& known = read.full_at[static_cast<std::size_t>(kind)];
    REQUIRE(known.size() == saved.size());
    for (const auto& [key, at] : saved) {
      REQUIRE(known.contains(key));
      CHECK(known.at(key) == std::chrono::ceil<std::chrono::seconds>(at));
    }
  }
  CHECK(read.set_waits.at("shop.test www.shop.test").until == now + 90min + 1s);
  CHECK(read.account_wait == RateLedgerState::Wait{now, now + 2h});
  CHECK(read.assumed_at == now);
  CHECK(reread(read) == read);
  CHECK(reread(RateLedgerState{}) == RateLedgerState{});
}

TEST_CASE("a document that cannot be wholly understood is refused, not taken for full buckets") {
  const auto document = [](const std::string& sets, const std::string& rest) {
    return R"({"schema":1,"full_at":{"certificates_per_set":)" + sets +
           R"(,"failed_validations":{},"certificates_per_domain":{},"orders_per_account":{}},)" +
           rest + "}";
  };
  const std::string waits = R"("set_waits":{})";
  REQUIRE(read_rate_ledger(document("{}", waits)));
  const std::string rows[] = {
      "",
      "{",
      "[]",
      "null",
      "{}",
      "\xff",
      R"({"schema":1})",
      R"({"schema":"1"})",
      R"({"schema":2})",
      R"({"schema":1,"full_at":[]})",
      R"({"schema":1,"full_at":{},"set_waits":{}})",
      document("[]", waits),
      document("7", waits),
      document("null", waits),
      document(R"({"a":7})", waits),
      document(R"({"a":"soon"})", waits),
      document(R"({"a":{"b":{}}})", waits),
      document("{}", R"("set_waits":[])"),
      document("{}", R"("set_waits":{"a":7})"),
      document("{}", R"("set_waits":{"a":{"since":"2026-11-23T09:00:00Z"}})"),
      document("{}", waits + R"(,"account_wait":7)"),
      document("{}", waits + R"(,"account_wait":{})"),
      document("{}", waits + R"(,"assumed_at":"long ago")"),
      document("{}", waits + R"(,"assumed_at":{})"),
      std::string(100000, '['),
  };
  for (const std::string& text : rows) {
    CAPTURE(text.substr(0, 200));
    const auto state = read_rate_ledger(text);
    REQUIRE_FALSE(state);
    CHECK(state.error().kind == ErrorKind::local);
    CHECK(state.error().code == "BAD_STATE");
    CHECK(state.error().message.find('\n') == std::string::npos);
  }
  CHECK(read_rate_ledger(R"({"schema":2})").error().message.find("schema 2") != std::string::npos);
}

TEST_CASE("absurd times in a document hold nothing up for longer than an honest one could") {
  const std::string text = R"({"schema":1,"full_at":{
    "certificates_per_set":{"shop.test www.shop.test":"9999-12-31T23:59:59Z"},
    "failed_validations":{"shop.test":"0000-01-01T00:00:00Z"},
    "certificates_per_domain":{"shop.test":"9999-12-31T23:59:59Z","\u0000":"2026-11-23T09:00:00Z"},
    "orders_per_account":{"":"9999-12-31T23:59:59Z","x":"9999-12-31T23:59:59Z"}},
    "account_wait":{"since":"0000-01-01T00:00:00Z","until":"9999-12-31T23:59:59Z"},
    "set_waits":{"shop.test www.shop.test":{"since":"9999-12-31T23:59:59Z",
                                            "until":"0000-01-01T00:00:00Z"}},
    "assumed_at":"9999-12-31T23:59:59Z"})";
  const auto state = read_rate_ledger(text);
  REQUIRE(state);
  RateLedger ledger(RateLimits{}, *state);
  const RateVerdict verdict = ledger.may_order(shop, OrderKind::new_set, Who::daemon, now);
  CHECK(verdict.until == now + RateLedger::longest_wait);
  CHECK(ledger.prune(now));
  CHECK(ledger.may_order(shop, OrderKind::new_set, Who::daemon, verdict.until).allowed);
  CHECK(ledger.prune(verdict.until));
  CHECK(ledger.state() == RateLedgerState{});
}

TEST_CASE("a damaged document is refused or gives a ledger that still ends by itself") {
  RateLedger ledger = RateLedger::assumed_after_loss(RateLimits{}, now);
  ledger.record_certificate(shop, OrderKind::new_set, now);
  ledger.record_retry_after(shop, now + 2h, now);
  const std::string sound = write_document(ledger.state());
  SeededRandom random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text =
        sound.substr(0, random.chance(20) ? random.below(sound.size()) : sound.size());
    for (std::uint64_t flips = random.below(4); flips > 0 && !text.empty(); --flips) {
      text[random.below(text.size())] = random.octets(1)[0];
    }
    const auto state = read_rate_ledger(text);
    if (!state) {
      ++refused;
      continue;
    }
    RateLedger read(RateLimits{}, *state);
    CHECK(read.may_order(shop, OrderKind::new_set, Who::daemon, now).until <=
          now + RateLedger::longest_wait);
    read.prune(now);
    read.prune(now + RateLedger::longest_wait);
    CHECK(read.state() == RateLedgerState{});
  }
  CHECK(refused > 1000);
  CHECK(refused < 3000);
}
