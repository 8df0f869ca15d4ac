// The ways into the DNS beside rfc2136, which stands in dns_rfc2136.h: foreign programs and
// protocols first, then services with an API of their own. Settings are listed, with what kind of
// value each takes, in agent/core/config_dns_provider.cpp; README.md says what they mean.
#pragma once

#include "agent/solvers/dns_provider.h"

namespace nolapse {

std::unique_ptr<DnsProvider> make_exec(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_acme_sh(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_lego_exec(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_certbot_hook(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_httpreq(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_acme_dns(const ChallengeConfig& challenge, World world);

std::unique_ptr<DnsProvider> make_cloudflare(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_route53(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_digitalocean(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_hetzner(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_gandi(const ChallengeConfig& challenge, World world);
std::unique_ptr<DnsProvider> make_desec(const ChallengeConfig& challenge, World world);

}  // namespace nolapse
