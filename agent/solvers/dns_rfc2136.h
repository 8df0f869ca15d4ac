// Dynamic updates, signed with a shared key: the standard way into a name server of one's own, such
// as BIND, Knot or PowerDNS. [RFC 2136, RFC 8945]
#pragma once

#include "agent/solvers/dns_provider.h"

namespace nolapse {

// Settings: `server`, `tsig_key_file` (optional), `zone` (optional; else the one found).
std::unique_ptr<DnsProvider> make_rfc2136(const ChallengeConfig& challenge, World world);

// A key as BIND's tsig-keygen writes it (key "NAME" { algorithm A; secret "BASE64"; };) or on one
// line as keymgr -t and knot write it ("ALGORITHM:NAME:BASE64"). Errors (input BAD_TSIG_KEY) never
// quote it.
Result<TsigKey> parse_tsig_key(std::string_view text);

}  // namespace nolapse
