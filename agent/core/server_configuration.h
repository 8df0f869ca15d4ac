// What the configuration of the servers of this host says about certificates: which they show, and
// which they meet on the way to the servers behind them. Read from their files, with includes, as
// the servers read them; a server need not run, and none is started.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/world/world.h"

namespace nolapse {

// Where something is configured.
struct ConfigurationPlace {
  std::string server;  // "nginx", "apache", "haproxy", "caddy", "postfix", "dovecot"
  std::string file;
  int line = 0;  // 0: the file as a whole

  std::string text() const;  // "nginx, /etc/nginx/nginx.conf:7"
};

// A certificate that a server shows to its clients.
struct ShownCertificate {
  ConfigurationPlace place;
  std::vector<std::string> names;    // that the server answers for with it; empty: any
  std::vector<std::string> listens;  // "ADDRESS:PORT" or "PORT"; empty: the server's own default
  std::string certificate_file;      // absolute
  std::string key_file;              // absolute; empty: in the same file, or in none
};

// A server behind one of this host, to which it passes requests on.
struct Upstream {
  ConfigurationPlace place;
  std::vector<std::string> names;  // of the site that passes on; empty: any
  // Where that site listens, as in ShownCertificate; empty: not known.
  std::vector<std::string> listens;
  // The paths that are passed on: empty: all; "/a/": what begins so; "=/a": that one; "~RE" and
  // "~*RE": what matches, in the second without regard to case.
  std::string location;
  std::vector<std::string> other_locations;  // of the same site, likewise: what goes elsewhere
  bool conditional = false;  // something decides besides that cannot be read from the files
  std::string host;          // name or address; empty: it cannot be told, or not be reached
  std::uint16_t port = 443;
  bool tls = false;
  std::string server_name;  // that is asked for, or checked; empty: none
  std::string roots_file;   // trust anchors in PEM; empty: the server's default
  // What the server refuses: a chain that does not lead to its roots, what has expired (Apache
  // looks at the dates even where it trusts everybody), a certificate for other names.
  bool verified = false;
  bool dates_checked = false;
  bool name_checked = false;
};

struct ServerConfiguration {
  std::vector<ShownCertificate> certificates;
  std::vector<Upstream> upstreams;
  std::vector<std::string> files;     // that were read, each once
  std::vector<std::string> problems;  // what could not be read, "FILE: why", for people
};

// Where each server's configuration begins. Only tests and `scan PATH` name others than Debian's
// and the projects' own places.
struct ServerConfigurationPlaces {
  // These main files, each behind its server; empty: all known places, where something is there.
  std::vector<std::pair<std::string, std::string>> files = {};
};

// Never fails: what cannot be read is a problem in the result.
ServerConfiguration read_server_configuration(const Files& files,
                                              const ServerConfigurationPlaces& places = {});

// Whose main file this is, by its name and its content; empty: nobody's that is known.
std::string server_of_configuration(const std::string& path, const std::string& content);

}  // namespace nolapse
