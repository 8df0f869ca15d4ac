// Names and their addresses, with the ways a resolver lets one down. The agent and the CA look
// through the same table, each from its own side: split DNS is a name with a public view.
//
// Zones hold the other records. Each of their name servers shows what was added after its own
// delay, fails or stays silent; the resolver and the CA see what the first of them shows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_clock.h"

namespace nolapse {

class FakeDns final : public Dns {
 public:
  enum class Fault { none, server_failure, no_answer };
  struct Name {
    std::vector<std::string> addresses;  // none: the name does not exist
    Fault fault = Fault::none;
    Duration delay = std::chrono::milliseconds(5);
  };

  struct Server {
    std::string name;     // "ns1.shop.test"; its address has to be a name of this world
    std::string address;  // with port: "192.0.2.53:53"
    Duration delay = Duration{0};
    Fault fault = Fault::none;
  };
  struct Record {
    std::string name;
    DnsType type = DnsType::txt;
    std::string value;  // as in DnsAnswer
    Time since{};
  };
  struct Zone {
    std::vector<Server> servers;  // the first is the primary, which takes updates
    std::vector<Record> records;
    std::optional<TsigKey> key;  // that an update must be signed with
    bool bogus = false;          // its signatures do not hold, and the resolver looks at them
  };

  explicit FakeDns(FakeClock& clock) : clock_(clock) {}

  void resolve(std::string host, Completion<std::vector<std::string>> done) override;
  void ask(DnsLookup lookup, Completion<DnsAnswer> done) override;
  void update(DnsUpdate update, Completion<void> done) override;

  Zone& zone(const std::string& apex) { return zones_[apex]; }
  // One with a name server, "ns1.APEX", at this address, port 53.
  Zone& add_zone(const std::string& apex, const std::string& address);

  Name& name(const std::string& host) { return names_[host]; }
  // What the rest of the internet sees instead.
  Name& public_name(const std::string& host) { return public_names_[host]; }

  // At once, without the delay.
  Result<std::vector<std::string>> look_up(const std::string& host) const;
  Result<std::vector<std::string>> look_up_publicly(const std::string& host) const;
  Result<DnsAnswer> ask_now(const DnsLookup& lookup) const { return answer(lookup); }

 private:
  const std::string* apex_of(const std::string& name) const;
  Result<DnsAnswer> answer(const DnsLookup& lookup) const;
  Result<void> apply(const DnsUpdate& update);

  static Result<std::vector<std::string>> answer(const std::string& host, const Name* name);
  static const Name* find(const std::map<std::string, Name>& names, const std::string& host);

  FakeClock& clock_;
  std::map<std::string, Name> names_;
  std::map<std::string, Name> public_names_;
  std::map<std::string, Zone> zones_;  // by apex
};

}  // namespace nolapse
