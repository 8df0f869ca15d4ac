// The certificates of [[watch]] as they are now: somebody else renews them, nolapse looks and
// tells.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acme/x509.h"
#include "agent/core/config.h"
#include "agent/core/expiry.h"
#include "agent/world/world.h"

namespace nolapse {

enum class WatchedState {
  good,
  near,  // of use, but within a threshold before its end
  expired,
  not_trusted,   // its chain does not validate for the name, or it is not valid yet
  no_handshake,  // the endpoint answers, but not in TLS
  unreachable,   // or the name does not resolve
  unreadable,    // the file is not there, may not be read, or is no certificate
};
const char* name_of(WatchedState state);

// One place where a watched certificate is served or lies.
struct WatchedCertificate {
  std::string watch;     // the name of the [[watch]]
  std::string endpoint;  // as configured; empty: a file
  std::string address;   // of the endpoint; empty when its name does not resolve
  std::string file;
  std::optional<acme::Certificate> leaf;  // nothing: none was seen
  WatchedState state = WatchedState::unreachable;
  std::string detail;  // one line for people

  bool ok() const { return state == WatchedState::good; }
  bool is_of_use() const { return ok() || state == WatchedState::near; }
  std::string place() const;  // "HOST:PORT at ADDRESS", or the file
};

// All of `config.watches`, or those of these names, in the order of the configuration. `config`
// outlives it.
void collect_watched(World world, const Config& config, const std::vector<std::string>& names,
                     std::function<void(std::vector<WatchedCertificate>)> done);

// The same for one section. Nobody knows when the other will renew, so that the thresholds are
// the plain days.
void look_at_watch(World world, const WatchSpec& watch, const ExpiryDays& days,
                   std::function<void(std::vector<WatchedCertificate>)> done);

}  // namespace nolapse
