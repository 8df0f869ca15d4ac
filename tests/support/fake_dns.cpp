// The fake resolver; errors as world.h promises them.
#include "tests/support/fake_dns.h"

#include <algorithm>

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

// ---- zones

FakeDns::Zone& FakeDns::add_zone(const std::string& apex, const std::string& address) {
  Zone& zone = zones_[apex];
  zone.servers.push_back({"ns1." + apex, address + ":53"});
  name("ns1." + apex).addresses = {address};
  return zone;
}

const std::string* FakeDns::apex_of(const std::string& name) const {
  const std::string* longest = nullptr;
  for (const auto& [apex, zone] : zones_) {
    const bool inside = name == apex || name.ends_with("." + apex);
    if (inside && (longest == nullptr || apex.size() > longest->size())) longest = &apex;
  }
  return longest;
}

void FakeDns::ask(DnsLookup lookup, Completion<DnsAnswer> done) {
  const std::string* apex = apex_of(lookup.name);
  Duration delay = std::chrono::milliseconds(5);
  if (apex != nullptr) {
    const std::vector<Server>& servers = zones_.at(*apex).servers;
    for (const Server& server : servers) {
      // The resolver asks the first.
      const bool asked =
          lookup.server.empty() ? &server == &servers.front() : server.address == lookup.server;
      if (asked && server.fault == Fault::no_answer) delay = resolver_deadline;
    }
  }
  clock_.post_after(
      delay, [this, lookup = std::move(lookup), done = std::move(done)] { done(answer(lookup)); });
}

Result<DnsAnswer> FakeDns::answer(const DnsLookup& lookup) const {
  DnsAnswer answer;
  answer.name = lookup.name;
  for (int links = 0; links < 8; ++links) {
    const std::string* apex = apex_of(answer.name);
    if (apex == nullptr) break;
    const Zone& zone = zones_.at(*apex);
    const auto server = std::find_if(zone.servers.begin(), zone.servers.end(), [&](const auto& s) {
      return lookup.server.empty() || s.address == lookup.server;
    });
    if (server == zone.servers.end()) break;  // another server's; the resolver follows
    if (server->fault == Fault::server_failure)
      return fail(ErrorKind::transient, "DNS_FAILED", server->name + " answers SERVFAIL");
    if (server->fault == Fault::no_answer)
      return fail(ErrorKind::transient, "DNS_TIMEOUT", server->name + " does not answer");
    if (zone.bogus && lookup.server.empty() && !lookup.checking_disabled)
      return fail(ErrorKind::transient, "DNS_FAILED", "the resolver answers SERVFAIL");
    answer.authoritative = !lookup.server.empty();
    answer.exists = answer.name == *apex;
    if (answer.exists && lookup.type == DnsType::soa) answer.values = {server->name};
    if (answer.exists && lookup.type == DnsType::ns) {
      for (const Server& each : zone.servers) answer.values.push_back(each.name);
    }
    std::string alias;
    for (const Record& record : zone.records) {
      if (record.name.ends_with("." + answer.name)) answer.exists = true;
      if (record.name != answer.name || record.since + server->delay > clock_.now()) continue;
      answer.exists = true;
      if (record.type == lookup.type) answer.values.push_back(record.value);
      if (record.type == DnsType::cname && lookup.type != DnsType::cname) alias = record.value;
    }
    if (alias.empty()) break;
    answer.name = alias;
  }
  return answer;
}

void FakeDns::update(DnsUpdate update, Completion<void> done) {
  clock_.post_after(
      std::chrono::milliseconds(10),
      [this, update = std::move(update), done = std::move(done)] { done(apply(update)); });
}

Result<void> FakeDns::apply(const DnsUpdate& update) {
  const auto found = zones_.find(update.zone);
  if (found == zones_.end() || found->second.servers.empty() ||
      found->second.servers.front().address != update.server)
    return fail(ErrorKind::input, "DNS_UPDATE_REFUSED", update.zone + ": NOTAUTH");
  Zone& zone = found->second;
  if (zone.servers.front().fault != Fault::none)
    return fail(ErrorKind::transient, "DNS_TIMEOUT", zone.servers.front().name + ": no answer");
  if (zone.key &&
      (!update.key || update.key->name != zone.key->name || update.key->secret != zone.key->secret))
    return fail(ErrorKind::input, "DNS_UPDATE_REFUSED", update.zone + ": REFUSED");
  std::erase_if(zone.records, [&](const Record& record) {
    return record.type == DnsType::txt && record.name == update.name &&
           record.value == update.value;
  });
  if (update.add) zone.records.push_back({update.name, DnsType::txt, update.value, clock_.now()});
  return {};
}

}  // namespace nolapse
