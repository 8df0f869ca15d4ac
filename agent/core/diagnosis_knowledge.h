// What this host knows of an endpoint without asking it: the configuration of nolapse and of the
// servers here, their files, and the records of what was issued. All of it may be missing.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/diagnosis.h"
#include "agent/core/diagnosis_target.h"

namespace nolapse {

struct KnownHost {
  const Config* config = nullptr;  // nothing: there is none that can be used
  ServerConfiguration servers;
  std::set<std::string> addresses;                             // its own, besides loopback
  std::function<std::string(std::uint16_t)> port_holder = {};  // nothing: nobody can say
  bool history_wanted = true;  // of managed certificates; it takes reading months of events

  bool has(const std::string& address) const;
};

// From the text of /proc/net/fib_trie and /proc/net/if_inet6.
std::set<std::string> addresses_of_host(const std::string& fib_trie, const std::string& if_inet6);

// Fills in what the disk says of an endpoint: pairs, managed.
void add_knowledge(SeenEndpoint& endpoint, const KnownHost& host, const Files& files, Time now);
// Trust anchors for what it serves; empty: the system's.
std::string roots_for(const SeenEndpoint& endpoint, const KnownHost& host, const Files& files);

// What is behind it: the hops of sites here that answer for its name, and other endpoints that are
// declared for it.
struct Behind {
  SeenEndpoint endpoint;
  std::string roots_file;  // trust anchors of whoever passes on to it; empty: not known
};
struct AllBehind {
  std::vector<Behind> seen;         // those that can be looked at, a bounded number
  std::vector<std::string> hidden;  // the others
};
AllBehind what_is_behind(const DiagnosisTarget& asked, const KnownHost& host);
// What might be, for all that is known: all other endpoints of the configuration.
std::vector<Behind> what_else_is_known(const Endpoint& asked, const KnownHost& host);

// For whoever asks about nothing: all endpoints that are known here. Of the local listeners of a
// certificate without endpoints only those count that serve it.
struct KnownTarget {
  DiagnosisTarget target;
  bool only_if_served = false;
};
std::vector<KnownTarget> known_targets(const KnownHost& host, const Files& files);

}  // namespace nolapse
