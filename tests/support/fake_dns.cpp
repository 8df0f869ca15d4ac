// The fake resolver; errors as world.h promises them.
#include "tests/support/fake_dns.h"

#include "acme/identifier.h"

namespace nolapse {

namespace {
constexpr Duration resolver_deadline = std::chrono::seconds(10);
}

void FakeDns::resolve(std::string host, Completion<std::vector<std::string>> done) {
  const Name* found = find(names_, host);
  Duration delay = found != nullptr ? found->delay : std::chrono::milliseconds(5);
  if (found != nullptr && found->fault == Fault::no_answer) delay = resolver_deadline;
  clock_.post_after(
      delay, [this, host = std::move(host), done = std::move(done)] { done(look_up(host)); });
}

const FakeDns::Name* FakeDns::find(const std::map<std::string, Name>& names,
                                   const std::string& host) {
  const auto found = names.find(host);
  return found == names.end() ? nullptr : &found->second;
}

Result<std::vector<std::string>> FakeDns::look_up(const std::string& host) const {
  return answer(host, find(names_, host));
}

Result<std::vector<std::string>> FakeDns::look_up_publicly(const std::string& host) const {
  const Name* seen = find(public_names_, host);
  return answer(host, seen != nullptr ? seen : find(names_, host));
}

Result<std::vector<std::string>> FakeDns::answer(const std::string& host, const Name* name) {
  const std::string address = acme::canonical_address(host);
  if (!address.empty()) return std::vector<std::string>{address};
  if (name != nullptr && name->fault == Fault::server_failure)
    return fail(ErrorKind::transient, "DNS_FAILED", host + ": the resolver answers SERVFAIL");
  if (name != nullptr && name->fault == Fault::no_answer)
    return fail(ErrorKind::transient, "DNS_TIMEOUT", host + ": the resolver does not answer");
  if (name == nullptr || name->addresses.empty())
    return fail(ErrorKind::input, "NAME_NOT_FOUND", host + ": no such name");
  return name->addresses;
}

}  // namespace nolapse
