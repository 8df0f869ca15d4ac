#include "agent/solvers/dns_provider.h"

#include "agent/solvers/dns_rfc2136.h"

namespace nolapse {

std::unique_ptr<DnsProvider> make_dns_provider(const ChallengeConfig& challenge, World world) {
  return make_rfc2136(challenge, world);
}

}  // namespace nolapse
