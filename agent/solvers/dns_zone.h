// Where a TXT record has to be written, and who speaks for it. [RFC 1034 §4.2, RFC 2181 §6.1]
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

struct RecordPlace {
  std::string name;  // the end of the CNAME chain
  std::string zone;  // the apex above it
};

struct RecordSearch {
  // After a failure as far as it came: the zone is empty, and so is the name where not even the
  // first question had an answer.
  RecordPlace place;
  std::optional<Error> failure;  // those of Dns::ask, input ZONE_NOT_FOUND
};

// Follows aliases, then climbs to the first name with NS records. Calls back late.
void find_record_place(World world, std::string name, std::function<void(RecordSearch)> done);

struct NameServer {
  std::string name;
  std::string address;  // "192.0.2.53:53"

  std::string text() const { return name + " (" + address + ")"; }
};

struct NameServers {
  std::vector<NameServer> servers;   // one for each address, both families, at most 32
  std::vector<std::string> without;  // those that have no address, and why
};

// All that the zone's NS records name. Errors: those of Dns::ask, input ZONE_NOT_FOUND.
void find_name_servers(World world, std::string zone, std::uint16_t port,
                       Completion<NameServers> done);

}  // namespace nolapse
