#include "agent/solvers/solvers.h"

#include "agent/solvers/dns01.h"
#include "agent/solvers/dns_persist01.h"
#include "agent/solvers/http01.h"
#include "agent/solvers/tls_alpn01.h"

namespace nolapse {

// The configuration admits no type that is not handled here.
std::unique_ptr<Solver> make_solver(const ChallengeConfig& challenge, World world, Turns& turns) {
  if (challenge.type == "tls-alpn-01") return make_tls_alpn01(challenge, world);
  if (challenge.type == acme::persist_type) return make_dns_persist01(challenge, world);
  if (challenge.type != "http-01") return make_dns01(challenge, world, turns);
  if (!challenge.webroot.empty()) return make_http01_webroot(challenge, world);
  return make_http01_standalone(challenge, world);
}

}  // namespace nolapse
