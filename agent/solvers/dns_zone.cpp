#include "agent/solvers/dns_zone.h"

#include <memory>

#include "acme/identifier.h"

namespace nolapse {
namespace {

constexpr std::size_t most_servers = 32;

using SearchDone = std::function<void(RecordSearch)>;

Error no_zone(const std::string& why) {
  return {ErrorKind::input, "ZONE_NOT_FOUND", why, {}, {}};
}

// `climbed` is a name at or above the record's.
void climb(World world, std::string name, std::string climbed, SearchDone done) {
  if (climbed.empty()) {
    return done({{name, {}},
                 no_zone("no zone is found for " + name +
                         ": neither it nor any name above it has NS records; check the "
                         "domain's delegation, and `resolver`")});
  }
  world.dns.ask({climbed, DnsType::ns}, [world, name, climbed,
                                         done = std::move(done)](Result<DnsAnswer> answer) {
    if (!answer) return done({{name, {}}, answer.error()});
    // The NS records of an alias's target are not the alias's.
    if (!answer->values.empty() && answer->name == climbed) return done({{name, climbed}, {}});
    const std::size_t dot = climbed.find('.');
    climb(world, name, dot == std::string::npos ? std::string() : climbed.substr(dot + 1), done);
  });
}

// A resolver follows a whole chain of aliases; a name server only as far as its own zones reach.
void follow(World world, std::string name, int links, SearchDone done) {
  constexpr int longest_chain = 8;
  world.dns.ask(
      {name, DnsType::txt}, [world, name, links, done = std::move(done)](Result<DnsAnswer> answer) {
        if (!answer) return done({{links == 0 ? std::string() : name, {}}, answer.error()});
        if (answer->name == name) return climb(world, name, name, done);
        if (links == longest_chain) {
          return done({{name, {}}, no_zone(name + " is an alias of an alias without end")});
        }
        follow(world, answer->name, links + 1, done);
      });
}

}  // namespace

void find_record_place(World world, std::string name, std::function<void(RecordSearch)> done) {
  follow(world, std::move(name), 0, std::move(done));
}

void find_name_servers(World world, std::string zone, std::uint16_t port,
                       Completion<NameServers> done) {
  world.dns.ask(
      {zone, DnsType::ns}, [world, zone, port, done = std::move(done)](Result<DnsAnswer> answer) {
        if (!answer) return done(fail(answer.error()));
        if (answer->values.empty()) {
          return done(fail(ErrorKind::input, "ZONE_NOT_FOUND", zone + " has no NS records"));
        }
        struct Search {
          NameServers found;
          std::size_t open = 0;
        };
        auto search = std::make_shared<Search>();
        search->open = answer->values.size();
        for (const std::string& server : answer->values) {
          world.dns.resolve(
              server, [search, server, port, done](Result<std::vector<std::string>> addresses) {
                NameServers& found = search->found;
                if (!addresses) found.without.push_back(server + ": " + addresses.error().message);
                for (const std::string& address : addresses.value_or(std::vector<std::string>{})) {
                  if (found.servers.size() == most_servers) break;
                  const std::string host = acme::is_ipv6(address) ? "[" + address + "]" : address;
                  found.servers.push_back({server, host + ":" + std::to_string(port)});
                }
                if (--search->open == 0) done(std::move(found));
              });
        }
      });
}

}  // namespace nolapse
