// The fake CA's agenda, in the order of its instants: what it does later, and when it forgets what
// no client asks for any more, so that years of a fleet use bounded memory. It keeps things
// longer than a client may expect: at least a month after they expired.
#include "tests/support/fake_ca.h"

namespace nolapse {

namespace {
constexpr Duration kept_after_expiry = std::chrono::hours(24 * 30);
}  // namespace

void FakeCa::advance(Time now) {
  while (!agenda_.empty() && std::get<Time>(*agenda_.begin()) <= now) {
    const auto [at, task, id] = *agenda_.begin();
    agenda_.erase(agenda_.begin());
    if (task == Task::validate) {
      validate(challenges_.at(id));
    } else {
      issue(orders_.at(id));
    }
  }
  while (!memory_.empty() && std::get<Time>(*memory_.begin()) <= now) {
    const auto [at, what, id] = *memory_.begin();
    memory_.erase(memory_.begin());
    forget(what, id, at);
  }
}

std::optional<Time> FakeCa::next_due() const {
  if (agenda_.empty()) return {};
  return std::get<Time>(*agenda_.begin());
}

// An expiry may have moved since this was planned.
void FakeCa::forget(Memory what, const std::string& id, Time at) {
  Time earliest{};
  if (what == Memory::order) earliest = orders_.at(id).expires + kept_after_expiry;
  if (what == Memory::certificate) earliest = certificates_.at(id).not_after + kept_after_expiry;
  if (what == Memory::authorization) {
    // An order that was placed at the last moment refers to it for as long as orders are kept.
    earliest = authorizations_.at(id).expires + settings.order_lifetime + 2 * kept_after_expiry;
  }
  if (earliest > at) return forget_at(earliest, what, id);
  if (what == Memory::order) {
    open_orders_.erase(id);
    orders_.erase(id);
  } else if (what == Memory::certificate) {
    certificates_by_renewal_id_.erase(certificates_.at(id).renewal_id);
    certificates_.erase(id);
  } else {
    for (const std::string& challenge : authorizations_.at(id).challenges)
      challenges_.erase(challenge);
    authorizations_.erase(id);
  }
}

}  // namespace nolapse
