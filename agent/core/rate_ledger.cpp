// Not counted: that Let's Encrypt pauses a name for an account after 1152 failed validations in a
// row, one of which it forgets each day. At two attempts a day one certificate comes there after
// three years, twenty that share a dead name after a month, and each of those is told of long
// before. The CA then refuses with the link that ends the pause, and a count of ours would spare
// nobody that.
#include "agent/core/rate_ledger.h"

#include <libpsl.h>

#include <algorithm>
#include <functional>
#include <set>

namespace nolapse {
namespace {

using namespace std::chrono_literals;
using acme::Identifier;
using Wait = RateLedgerState::Wait;

constexpr std::size_t index_of(RateLimitKind kind) {
  return static_cast<std::size_t>(kind);
}

// Limits come from a configuration; these bounds keep every product far inside 64 bits.
RateLimit bounded(const RateLimit& limit) {
  if (limit.capacity <= 0 || limit.refill <= 0ms) return {};
  return {std::min<std::int64_t>(limit.capacity, 1000000),
          std::min<Duration>(limit.refill, std::chrono::hours(24 * 366))};
}

std::string base_name(const Identifier& identifier) {
  const bool wildcard = identifier.value.compare(0, 2, "*.") == 0;
  return wildcard ? identifier.value.substr(2) : identifier.value;
}

// By the list of public suffixes that the library was built with, which may be some years old: a
// newer suffix lumps strangers together, and that counts too much rather than too little.
std::string registered_domain(const Identifier& identifier) {
  if (identifier.type == "ip") {
    std::string octets = acme::address_octets(identifier.value);
    if (octets.size() != 16) return identifier.value;
    std::fill(octets.begin() + 8, octets.end(), '\0');
    return acme::address_text(octets) + "/64";
  }
  std::string name = base_name(identifier);
  const char* domain = psl_registrable_domain(psl_builtin(), name.c_str());
  return domain != nullptr ? domain : name;  // a suffix itself
}

std::string set_key(const std::vector<Identifier>& identifiers) {
  std::set<std::string> names;
  for (const Identifier& identifier : identifiers) names.insert(identifier.value);
  std::string key;
  for (const std::string& name : names) key += (key.empty() ? "" : " ") + name;
  return key;
}

// Each once: the limit counts a certificate, not its names.
std::set<std::string> domains_of(const std::vector<Identifier>& identifiers) {
  std::set<std::string> domains;
  for (const Identifier& identifier : identifiers) domains.insert(registered_domain(identifier));
  return domains;
}

// A wait that begins in the future was recorded before the clock was set back: it begins now.
Wait as_of(const Wait& wait, Time now) {
  const Wait known = now < wait.since ? Wait{now, now + (wait.until - wait.since)} : wait;
  return {known.since, std::min(known.until, now + RateLedger::longest_wait)};
}

Wait later_of(const std::optional<Wait>& known, Time until, Time now) {
  const Time bounded_until = std::min(until, now + RateLedger::longest_wait);
  return {now, known ? std::max(as_of(*known, now).until, bounded_until) : bounded_until};
}

std::string subject_of(RateLimitKind kind, const std::string& key) {
  switch (kind) {
    case RateLimitKind::certificates_per_set:
      return "duplicate certificates";
    case RateLimitKind::failed_validations:
      return "failed validations of " + key;
    case RateLimitKind::certificates_per_domain:
      return "certificates for " + key;
    case RateLimitKind::orders_per_account:
      break;
  }
  return "orders of this account";
}

}  // namespace

const char* name_of(RateLimitKind kind) {
  switch (kind) {
    case RateLimitKind::certificates_per_set:
      return "certificates_per_set";
    case RateLimitKind::failed_validations:
      return "failed_validations";
    case RateLimitKind::certificates_per_domain:
      return "certificates_per_domain";
    case RateLimitKind::orders_per_account:
      break;
  }
  return "orders_per_account";
}

// A bucket of b that refills every r lets b + n - 1 events into a window that is at most n × r
// long. Half of the count may come at once, the other half pays for the refills.
RateLimit RateLimit::for_window(std::int64_t count, Duration window) {
  if (count <= 0 || window <= 0ms) return {};
  const std::int64_t at_once = count / 2 + count % 2;
  const std::int64_t refills = count - at_once + 1;
  return {at_once, (window + Duration{refills - 1}) / refills};
}

RateLimit RateLimits::*RateLimits::member(RateLimitKind kind) {
  switch (kind) {
    case RateLimitKind::certificates_per_set:
      return &RateLimits::certificates_per_set;
    case RateLimitKind::failed_validations:
      return &RateLimits::failed_validations;
    case RateLimitKind::certificates_per_domain:
      return &RateLimits::certificates_per_domain;
    case RateLimitKind::orders_per_account:
      break;
  }
  return &RateLimits::orders_per_account;
}

RateCosts costs_of_creation(OrderKind kind) {
  RateCosts costs;
  if (kind == OrderKind::new_set) costs[index_of(RateLimitKind::orders_per_account)][{}] = 1;
  return costs;
}

RateCosts costs_of_outcome(const std::vector<Identifier>& identifiers, OrderKind kind) {
  RateCosts costs;
  costs[index_of(RateLimitKind::certificates_per_set)][set_key(identifiers)] = 1;
  // A name and its wildcard are validated each for itself, and counted as one.
  for (const Identifier& identifier : identifiers) {
    ++costs[index_of(RateLimitKind::failed_validations)][base_name(identifier)];
  }
  if (kind != OrderKind::new_set) return costs;
  for (const std::string& domain : domains_of(identifiers)) {
    costs[index_of(RateLimitKind::certificates_per_domain)][domain] = 1;
  }
  return costs;
}

// What one order asks of one bucket.
struct RateLedger::Claim {
  RateLimitKind kind;
  std::string key;
  std::int64_t cost;
  std::int64_t held;  // for others
  std::int64_t left;  // beside that
  Time ready;         // when enough is left for this asker
};

RateLedger::RateLedger(const RateLimits& limits) : RateLedger(limits, RateLedgerState()) {}

RateLedger::RateLedger(const RateLimits& limits, RateLedgerState state)
    : limits_(limits), state_(std::move(state)) {
  for (const RateLimitKind kind : rate_limit_kinds) limits_.of(kind) = bounded(limits_.of(kind));
}

RateLedger RateLedger::assumed_after_loss(const RateLimits& limits, Time now) {
  RateLedgerState state;
  state.assumed_at = now;
  return RateLedger(limits, std::move(state));
}

// Between now (full) and a whole refill ahead (empty), whatever the clock or a file said.
Time RateLedger::full_at(RateLimitKind kind, const std::string& key, Time now) const {
  const RateLimit& limit = limits_.of(kind);
  const auto& buckets = state_.full_at[index_of(kind)];
  const auto found = buckets.find(key);
  Time at = now;
  if (found != buckets.end()) {
    at = found->second;
  } else if (state_.assumed_at) {
    at = std::min(*state_.assumed_at, now) + limit.capacity / 2 * limit.refill;
  }
  return std::clamp(at, now, now + limit.capacity * limit.refill);
}

RateLedger::Claim RateLedger::claim(RateLimitKind kind, std::string key, std::int64_t cost, Who who,
                                    Time now) const {
  const RateLimit& limit = limits_.of(kind);
  const Time full = full_at(kind, key, now);
  const std::int64_t spent = (full - now + limit.refill - 1ms) / limit.refill;
  const bool keeps_last = who == Who::daemon && (kind == RateLimitKind::certificates_per_set ||
                                                 kind == RateLimitKind::failed_validations);
  const auto held_by_key = held_[index_of(kind)].find(key);
  const std::int64_t held = held_by_key == held_[index_of(kind)].end() ? 0 : held_by_key->second;
  // A bucket of one has no last token to keep, or the daemon could never order.
  const std::int64_t needed = std::min<std::int64_t>(cost + (keeps_last ? 1 : 0), limit.capacity);
  const Time if_held_come_back = full - (limit.capacity - needed) * limit.refill;
  const Time if_held_are_spent = if_held_come_back + held * limit.refill;
  return {kind,
          std::move(key),
          cost,
          held,
          limit.capacity - spent - held,
          std::clamp(now + pause_for_held, if_held_come_back, if_held_are_spent)};
}

std::vector<RateLedger::Claim> RateLedger::claims_of(const std::vector<Identifier>& identifiers,
                                                     OrderKind kind, Who who, Time now) const {
  const RateCosts creation = costs_of_creation(kind);
  const RateCosts outcome = costs_of_outcome(identifiers, kind);
  std::vector<Claim> claims;
  for (const RateLimitKind limit : rate_limit_kinds) {
    if (limits_.of(limit).capacity == 0) continue;
    // Inside its window the CA asks for none of them; the failed validations are our own care.
    const bool cares = limit == RateLimitKind::failed_validations && who == Who::daemon;
    if (kind == OrderKind::inside_window && !cares) continue;
    for (const RateCosts& costs : {std::cref(outcome), std::cref(creation)}) {
      for (const auto& [key, cost] : costs[index_of(limit)]) {
        claims.push_back(claim(limit, key, cost, who, now));
      }
    }
  }
  return claims;
}

std::optional<RateVerdict> RateLedger::waiting(const std::vector<Identifier>& identifiers, Who who,
                                               Time now) const {
  const auto set_wait = state_.set_waits.find(set_key(identifiers));
  const Time set_until =
      set_wait == state_.set_waits.end() ? now : as_of(set_wait->second, now).until;
  const Time account_until = state_.account_wait ? as_of(*state_.account_wait, now).until : now;
  const Time until = std::max(set_until, account_until);
  if (until <= now) return {};
  const bool again = who == Who::person_again;
  std::string text = "the CA asks to wait until " + acme::format_rfc3339(until) +
                     " with the next order " +
                     (account_until >= set_until ? "of this account" : "for these names");
  if (who == Who::person) text += "; --again asks it all the same";
  if (again) text += "; asking it all the same";
  return RateVerdict{again, again ? now : until, "retry_after", 0, true, false, std::move(text)};
}

RateVerdict RateLedger::verdict_on(const Claim& claim, Who who, Time now) const {
  const RateLimit& limit = limits_.of(claim.kind);
  const bool enough = claim.ready <= now;
  const bool allowed = enough || who == Who::person_again;
  std::string text = std::to_string(claim.left) + " of " + std::to_string(limit.capacity) + " " +
                     subject_of(claim.kind, claim.key) + " left by our count, ";
  if (claim.held > 0) text += std::to_string(claim.held) + " held for orders under way, ";
  text += "one comes back every " + acme::format_duration(limit.refill) + "; ";
  if (enough) {
    text += "this order costs " + std::to_string(claim.cost);
    if (claim.kind == RateLimitKind::failed_validations) text += " if it fails";
  } else if (allowed) {
    text += "asking the CA all the same";
  } else if (who == Who::person) {
    text += "the next is there at " + acme::format_rfc3339(claim.ready) +
            ", --again asks the CA all the same";
  } else {
    // A plain `renew` asks as the daemon does, and there may be none.
    text +=
        claim.left > 0 ? "the last is a person's (renew --force), renewals without it" : "renewals";
    text += " go on at " + acme::format_rfc3339(claim.ready);
  }
  const Time until = allowed ? now : claim.ready;
  return {allowed, until,          name_of(claim.kind), claim.left, claim.left <= claim.cost,
          false,   std::move(text)};
}

RateVerdict RateLedger::may_order(const std::vector<Identifier>& identifiers, OrderKind kind,
                                  Who who, Time now) const {
  const auto wait = waiting(identifiers, who, now);
  const auto claims = claims_of(identifiers, kind, who, now);
  const auto latest =
      std::max_element(claims.begin(), claims.end(),
                       [](const Claim& a, const Claim& b) { return a.ready < b.ready; });
  const bool refused = latest != claims.end() && latest->ready > now;
  if (wait && (!refused || wait->until >= latest->ready || wait->allowed)) return *wait;
  if (refused) return verdict_on(*latest, who, now);
  const auto scarcest = std::min_element(
      claims.begin(), claims.end(), [](const Claim& a, const Claim& b) { return a.left < b.left; });
  if (scarcest != claims.end()) return verdict_on(*scarcest, who, now);
  RateVerdict free;
  free.until = now;
  if (kind == OrderKind::inside_window) free.text = "the CA counts no renewal inside its window";
  return free;
}

RateVerdict RateLedger::may_renew(const std::vector<Identifier>& identifiers, OrderKind kind,
                                  Time little_is_left_from, Time now) const {
  RateVerdict verdict = may_order(identifiers, kind, Who::daemon, now);
  if (verdict.allowed) return verdict;
  // Inside a window our estimate of all else does not count.
  RateVerdict firm = may_order(identifiers, OrderKind::inside_window, Who::daemon, now);
  const bool little_is_left = now > little_is_left_from;
  if (!firm.allowed && (little_is_left || firm.until >= verdict.until)) return firm;
  if (little_is_left) {
    verdict.allowed = verdict.past_estimate = true;
    verdict.until = now;
    verdict.text += "; little time is left, so the CA is asked all the same";
    return verdict;
  }
  verdict.until =
      std::min<Time>(verdict.until, std::max<Time>(firm.until, little_is_left_from + 1s));
  return verdict;
}

void RateLedger::change_held(const RateCosts& costs, std::int64_t sign) {
  for (const RateLimitKind kind : rate_limit_kinds) {
    auto& held = held_[index_of(kind)];
    for (const auto& [key, cost] : costs[index_of(kind)]) {
      if ((held[key] += sign * cost) == 0) held.erase(key);
    }
  }
}

void RateLedger::spend(RateLimitKind kind, const std::string& key, Time now) {
  const RateLimit& limit = limits_.of(kind);
  if (limit.capacity == 0) return;
  // Not below empty: the CA allowed what we thought was used up, so there was one.
  const Time at =
      std::min(full_at(kind, key, now) + limit.refill, now + limit.capacity * limit.refill);
  state_.full_at[index_of(kind)][key] = at;
}

void RateLedger::record_order(OrderKind kind, Time now) {
  if (kind == OrderKind::new_set) spend(RateLimitKind::orders_per_account, {}, now);
}

void RateLedger::record_certificate(const std::vector<Identifier>& identifiers, OrderKind kind,
                                    Time now) {
  spend(RateLimitKind::certificates_per_set, set_key(identifiers), now);
  if (kind != OrderKind::new_set) return;
  for (const std::string& domain : domains_of(identifiers)) {
    spend(RateLimitKind::certificates_per_domain, domain, now);
  }
}

void RateLedger::record_failed_validation(const Identifier& identifier, Time now) {
  spend(RateLimitKind::failed_validations, base_name(identifier), now);
}

void RateLedger::record_retry_after(const std::vector<Identifier>& identifiers, Time until,
                                    Time now) {
  const std::string key = set_key(identifiers);
  const auto found = state_.set_waits.find(key);
  std::optional<Wait> known;
  if (found != state_.set_waits.end()) known = found->second;
  state_.set_waits[key] = later_of(known, until, now);
}

bool limits_the_account(std::string_view detail) {
  return detail.find("orders") != std::string_view::npos &&
         detail.find("account") != std::string_view::npos;
}

void RateLedger::record_account_retry_after(Time until, Time now) {
  state_.account_wait = later_of(state_.account_wait, until, now);
}

bool RateLedger::assumption_is_over(Time now) const {
  return std::all_of(rate_limit_kinds.begin(), rate_limit_kinds.end(), [&](RateLimitKind kind) {
    const RateLimit& limit = limits_.of(kind);
    return *state_.assumed_at + limit.capacity / 2 * limit.refill <= now;
  });
}

bool RateLedger::prune(Time now) {
  const RateLedgerState before = state_;
  for (const RateLimitKind kind : rate_limit_kinds) {
    auto& buckets = state_.full_at[index_of(kind)];
    for (auto& [key, at] : buckets) at = full_at(kind, key, now);
    std::erase_if(buckets, [&](const auto& bucket) { return bucket.second <= now; });
  }
  for (auto& [key, wait] : state_.set_waits) wait = as_of(wait, now);
  std::erase_if(state_.set_waits, [&](const auto& entry) { return entry.second.until <= now; });
  if (state_.account_wait) state_.account_wait = as_of(*state_.account_wait, now);
  if (state_.account_wait && state_.account_wait->until <= now) state_.account_wait.reset();
  if (state_.assumed_at) state_.assumed_at = std::min(*state_.assumed_at, now);
  if (state_.assumed_at && assumption_is_over(now)) state_.assumed_at.reset();
  return !(state_ == before);
}

void RateLedger::follow_clock(Duration forward, Time now) {
  prune(now - forward);
  for (auto& buckets : state_.full_at) {
    for (auto& [key, at] : buckets) at += forward;
  }
  if (state_.assumed_at) *state_.assumed_at += forward;
}

}  // namespace nolapse
