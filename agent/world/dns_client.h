// Names to addresses on the loop: literal addresses, /etc/hosts, "localhost" and then A and AAAA
// from the name servers in parallel. Other records are asked for one by one. libc's resolver is not
// used because it blocks, and curl's because it starts a thread that it cannot leave alone.
#pragma once

#include <map>
#include <memory>

#include "agent/world/dns_query.h"
#include "agent/world/slots.h"

namespace nolapse {

class DnsClient final : public Dns {
 public:
  struct Options {
    std::string server;  // "ADDRESS:PORT"; empty: those in resolv.conf
    std::string resolv_conf = "/etc/resolv.conf";
    std::string hosts = "/etc/hosts";
    // For one look-up as a whole, from its turn on: a limited number is under way at a time.
    Duration deadline = std::chrono::seconds(10);
  };

  // The files are read anew for each look-up: laptops and containers change them.
  DnsClient(EventLoop& loop, const Files& files, Options options);
  ~DnsClient() override;
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  void resolve(std::string host, Completion<std::vector<std::string>> done) override;
  void ask(DnsLookup lookup, Completion<DnsAnswer> done) override;
  void update(DnsUpdate update, Completion<void> done) override;

 private:
  struct Lookup;
  using Addresses = std::vector<std::string>;

  Result<ResolverConfig> resolver_config() const;
  Addresses local_answer(const std::string& host) const;
  void finish_later(Completion<Addresses> done, Result<Addresses> result);
  // `server` alone, or the resolver's where it is empty.
  Result<ResolverConfig> servers(const std::string& server) const;
  void exchange(const std::string& server, DnsQuery::Message message, DnsQuery::Done done);

  void begin(std::uint64_t id);
  void ask(Lookup& lookup);
  void on_reply(std::uint64_t id, std::size_t family, Result<DnsReply> reply);
  void conclude(std::uint64_t id);

  EventLoop& loop_;
  const Files& files_;
  const Options options_;
  Slots slots_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Lookup>> lookups_;
  std::map<std::uint64_t, std::unique_ptr<DnsQuery>> exchanges_;
};

}  // namespace nolapse
