// The way a CA takes to a proof on this host, taken by ourselves first: through the name's A and
// AAAA records, each address. A slot for failed validations is not spent on what can be seen to be
// wrong from here; what only looks wrong from here (hairpin NAT, split DNS) delays a little.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/core/solver.h"

namespace nolapse {

// What is wrong at one address.
struct DoorFault {
  Solver::ProofReport::Cause cause = Solver::ProofReport::Cause::none;
  std::string text = {};
};

// One look at one address.
using Glance = std::function<void(const acme::PresentedChallenge& challenge,
                                  const std::string& address, std::function<void(DoorFault)> done)>;

struct FrontDoorReport {
  Solver::ProofReport proof;
  std::map<std::string, unsigned> visits;  // our own looks that were answered rightly, by token
};

// Looks again at what is wrong for ten seconds; once where that is to be brief. Calls back late.
void look_through_front_door(World world, std::vector<acme::PresentedChallenge> challenges,
                             Glance glance, Solver::Patience patience,
                             std::function<void(FrontDoorReport)> done);

// http-01: follows redirects as CAs do: at most ten, 301, 302, 307 and 308, and whatever the
// certificate of an https one is.
Glance http_glance(World world, std::uint16_t port);

// tls-alpn-01: a handshake as the CA's.
Glance tls_alpn_glance(World world, std::uint16_t port);

}  // namespace nolapse
