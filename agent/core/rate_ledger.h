// What is left at a CA, by our own count: orders, certificates and failed validations as token
// buckets, and the waits that the CA itself asked for. One ledger for each CA and account.
//
// It is an estimate: others spend from the CA's global limits, and a CA may count otherwise. So it
// errs on the careful side, everything in it ends by itself, and a person may go past it. A bucket
// is one instant, when it is full again; its level follows from that by integer arithmetic. A
// clock that is set back makes no tokens: an instant further ahead than an empty bucket explains
// means "empty now", and a wait keeps its length; prune() makes that stick. Nor does one that is
// set forward, where somebody saw it, see follow_clock().
//
// A token is spent when its event is recorded, not when may_order() allows it. What orders under
// way may yet cost is held for them, or those that share names and run at once would each be told
// of the same token. Numbers: Let's Encrypt, "Rate limits", 2026-08.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"
#include "agent/world/world.h"

namespace nolapse {

// Also the order in which limits are named to a person when equally little is left of them.
enum class RateLimitKind {
  certificates_per_set,     // the exact same names: duplicates
  failed_validations,       // per name
  certificates_per_domain,  // per registered domain, IPv4 address, IPv6 /64
  orders_per_account,
};
constexpr std::array<RateLimitKind, 4> rate_limit_kinds = {
    RateLimitKind::certificates_per_set, RateLimitKind::failed_validations,
    RateLimitKind::certificates_per_domain, RateLimitKind::orders_per_account};
const char* name_of(RateLimitKind kind);

struct RateLimit {
  std::int64_t capacity = 0;  // tokens in a full bucket, at most 1,000,000; 0: no limit
  Duration refill{0};         // until one token comes back, at most a year

  // For a CA that counts over a sliding window instead: the bucket that never lets more than
  // `count` events into any `window`.
  static RateLimit for_window(std::int64_t count, Duration window);
};

struct RateLimits {
  RateLimit certificates_per_set{5, std::chrono::hours(34)};
  RateLimit failed_validations{5, std::chrono::minutes(12)};
  RateLimit certificates_per_domain{50, std::chrono::minutes(202)};
  RateLimit orders_per_account{300, std::chrono::seconds(36)};

  static RateLimits none() { return {{}, {}, {}, {}}; }
  RateLimit& of(RateLimitKind kind) { return this->*member(kind); }
  const RateLimit& of(RateLimitKind kind) const { return this->*member(kind); }

 private:
  static RateLimit RateLimits::*member(RateLimitKind kind);
};

// What the order is to the CA, which decides who counts it. The caller knows it from the
// certificates that it has, so that it survives the loss of the ledger.
enum class OrderKind {
  new_set,        // counted by all limits
  same_set,       // this CA issued for exactly these names in the last 120 days: not counted per
                  // account and domain
  inside_window,  // carries `replaces`, inside the window of the CA [RFC 9773 §5]: counted by none
};

// The daemon leaves the last duplicate certificate and the last failed validation to a person,
// who may spend them, and past the estimate or a wait goes only when asking again (`--again`).
enum class Who { daemon, person, person_again };

struct RateVerdict {
  bool allowed = true;
  Time until{};           // the earliest instant at which it is allowed; now, when it is
  std::string limit;      // name_of() the limit that decides, or "retry_after"; empty: none counts
  std::int64_t left = 0;  // of that limit, before this order
  bool spends_last = false;    // of any limit; or goes past it
  bool past_estimate = false;  // refused by our count, and allowed because little time is left
  std::string text;            // one line for people: what is left and what this order costs
};

// Does a refusal hold for all orders of the account? By the CA's own words, "too many new orders
// (300) from this account …": held for the whole account in error, others' orders would wait with
// it, so that a CA of other words is believed for the names of the order alone.
bool limits_the_account(std::string_view detail);

// How many tokens, by RateLimitKind and the keys of RateLedgerState.
using RateCosts = std::array<std::map<std::string, std::int64_t>, rate_limit_kinds.size()>;
// What the CA counts when it creates an order, and what it may count until that has ended.
RateCosts costs_of_creation(OrderKind kind);
RateCosts costs_of_outcome(const std::vector<acme::Identifier>& identifiers, OrderKind kind);

struct RateLedgerState {
  using Buckets = std::map<std::string, Time>;  // key -> when it is full again
  struct Wait {
    Time since{};
    Time until{};

    friend bool operator==(const Wait&, const Wait&) = default;
  };

  // By RateLimitKind. Keys: the names in order with spaces between, the name without "*.", the
  // domain, and one empty key for the account.
  std::array<Buckets, rate_limit_kinds.size()> full_at;
  std::optional<Wait> account_wait;
  std::map<std::string, Wait> set_waits;  // by the key of certificates_per_set
  // The ledger was lost then: each bucket is taken to have been half empty.
  std::optional<Time> assumed_at;

  friend bool operator==(const RateLedgerState&, const RateLedgerState&) = default;
};

class RateLedger {
 public:
  // No wait that a CA asks for is longer.
  static constexpr Duration longest_wait = std::chrono::hours(24 * 30);
  // Within that time most orders under way have ended: what is only held for them is asked for
  // again.
  static constexpr Duration pause_for_held = std::chrono::minutes(10);

  explicit RateLedger(const RateLimits& limits);
  RateLedger(const RateLimits& limits, RateLedgerState state);
  // For a ledger file that is missing although there is an account, or that cannot be read.
  static RateLedger assumed_after_loss(const RateLimits& limits, Time now);

  // May an order be placed now? Changes nothing; prune() first. A wait that the CA asked for
  // holds for every kind. Inside a window the daemon still keeps the last failed validation: the
  // CA lets the order pass, but counts its failure.
  RateVerdict may_order(const std::vector<acme::Identifier>& identifiers, OrderKind kind, Who who,
                        Time now) const;

  // The same for the daemon, which renews: our estimate must never cost a certificate. When little
  // of its lifetime is left, only what the CA itself asked for holds an order up, and the last
  // failed validation: a proof that failed again and again does not succeed by being asked for more
  // often.
  RateVerdict may_renew(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                        Time little_is_left_from, Time now) const;

  // For an order that was allowed, until its costs are recorded or cannot come any more.
  void hold(const RateCosts& costs) { change_held(costs, 1); }
  void release(const RateCosts& costs) { change_held(costs, -1); }

  // The CA created an order.
  void record_order(OrderKind kind, Time now);
  // The CA issued. Duplicates are counted whatever the kind.
  void record_certificate(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                          Time now);
  // An authorization for this name became invalid. A pending one that is deactivated counts too.
  void record_failed_validation(const acme::Identifier& identifier, Time now);
  // The CA's Retry-After, for these names or for the account. The later of two holds.
  void record_retry_after(const std::vector<acme::Identifier>& identifiers, Time until, Time now);
  void record_account_retry_after(Time until, Time now);

  // Drops what is full or over and follows a clock that was set back. True: it changed, save it.
  bool prune(Time now);

  // The clock was set forward by that much, to `now`: no time went by for the CA, and no token came
  // back. What the CA asked for is left as it is, because it may have been asked for by a date.
  void follow_clock(Duration forward, Time now);

  const RateLedgerState& state() const { return state_; }

 private:
  struct Claim;

  Time full_at(RateLimitKind kind, const std::string& key, Time now) const;
  Claim claim(RateLimitKind kind, std::string key, std::int64_t cost, Who who, Time now) const;
  std::vector<Claim> claims_of(const std::vector<acme::Identifier>& identifiers, OrderKind kind,
                               Who who, Time now) const;
  std::optional<RateVerdict> waiting(const std::vector<acme::Identifier>& identifiers, Who who,
                                     Time now) const;
  RateVerdict verdict_on(const Claim& claim, Who who, Time now) const;
  void spend(RateLimitKind kind, const std::string& key, Time now);
  void change_held(const RateCosts& costs, std::int64_t sign);
  bool assumption_is_over(Time now) const;

  RateLimits limits_;
  RateLedgerState state_;
  RateCosts held_;
};

}  // namespace nolapse
