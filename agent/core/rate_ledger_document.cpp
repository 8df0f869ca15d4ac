#include "agent/core/rate_ledger_document.h"

#include "acme/json_read.h"
#include "agent/core/state_document.h"

namespace nolapse {
namespace {

using acme::time_member;
using nlohmann::json;
using std::chrono::seconds;
using Wait = RateLedgerState::Wait;

json rounded_up(Time time) {
  return acme::format_rfc3339(std::chrono::ceil<seconds>(time));
}

json json_of(const Wait& wait) {
  return {{"since", acme::format_rfc3339(wait.since)}, {"until", rounded_up(wait.until)}};
}

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::local, "BAD_STATE", why);
}

std::optional<Wait> read_wait(const json& object) {
  const auto since = time_member(object, "since");
  const auto until = time_member(object, "until");
  if (!since || !until) return {};
  return Wait{*since, *until};
}

// The member, or null when it is absent.
const json& member(const json& object, const char* name) {
  static const json absent;
  const auto found = object.find(name);
  return found == object.end() ? absent : *found;
}

Result<RateLedgerState::Buckets> read_buckets(const json& object, const std::string& name) {
  if (!object.is_object()) return refuse("full_at." + name + " is not an object");
  RateLedgerState::Buckets buckets;
  for (const auto& [key, value] : object.items()) {
    const auto at =
        value.is_string() ? acme::parse_rfc3339(value.get_ref<const std::string&>()) : std::nullopt;
    if (!at) return refuse("full_at." + name + " holds something that is no time");
    buckets[key] = *at;
  }
  return buckets;
}

Result<void> read_waits(const json& document, RateLedgerState& state) {
  const json& account = member(document, "account_wait");
  if (!account.is_null()) {
    state.account_wait = read_wait(account);
    if (!state.account_wait) return refuse("account_wait is no pair of times");
  }
  const json& sets = member(document, "set_waits");
  if (!sets.is_object()) return refuse("set_waits is not an object");
  for (const auto& [key, value] : sets.items()) {
    const auto wait = read_wait(value);
    if (!wait) return refuse("set_waits holds something that is no pair of times");
    state.set_waits[key] = *wait;
  }
  return {};
}

}  // namespace

std::string write_document(const RateLedgerState& state) {
  json buckets = json::object();
  for (const RateLimitKind kind : rate_limit_kinds) {
    json& times = buckets[name_of(kind)] = json::object();
    for (const auto& [key, at] : state.full_at[static_cast<std::size_t>(kind)]) {
      times[key] = rounded_up(at);
    }
  }
  json waits = json::object();
  for (const auto& [key, wait] : state.set_waits) waits[key] = json_of(wait);
  return state_document(
      {{"full_at", std::move(buckets)},
       {"account_wait", state.account_wait ? json_of(*state.account_wait) : json(nullptr)},
       {"set_waits", std::move(waits)},
       {"assumed_at", state.assumed_at ? rounded_up(*state.assumed_at) : json(nullptr)}});
}

Result<RateLedgerState> read_rate_ledger(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  RateLedgerState state;
  const json& buckets = member(*document, "full_at");
  if (!buckets.is_object()) return refuse("full_at is not an object");
  for (const RateLimitKind kind : rate_limit_kinds) {
    auto times = read_buckets(member(buckets, name_of(kind)), name_of(kind));
    if (!times) return fail(times.error());
    state.full_at[static_cast<std::size_t>(kind)] = std::move(*times);
  }
  if (auto waits = read_waits(*document, state); !waits) return fail(waits.error());
  const json& assumed_at = member(*document, "assumed_at");
  if (!assumed_at.is_null()) {
    state.assumed_at = time_member(*document, "assumed_at");
    if (!state.assumed_at) return refuse("assumed_at is no time");
  }
  return state;
}

}  // namespace nolapse
