// The certificate that proves control by tls-alpn-01: self-signed, for one identifier, with the
// digest of the key authorization in a critical extension. [RFC 8737 §3, RFC 8738 §6]
#pragma once

#include <string>
#include <string_view>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/result.h"
#include "acme/time.h"

namespace nolapse::acme {

inline constexpr std::string_view tls_alpn_protocol = "acme-tls/1";

// The SNI with which a CA comes: the name, or the address's name for reverse look-ups, without a
// trailing dot.
std::string tls_alpn_server_name(const Identifier& identifier);

// In DER. Valid for a week from `now`; CAs do not look. Errors: local SIGNING_FAILED.
Result<std::string> make_tls_alpn_certificate(const Identifier& identifier,
                                              std::string_view key_authorization,
                                              const PrivateKey& key, Time now);

// Does it prove exactly this? What a CA looks at, without the signature.
bool proves_by_tls_alpn(std::string_view certificate_der, const Identifier& identifier,
                        std::string_view key_authorization);

}  // namespace nolapse::acme
