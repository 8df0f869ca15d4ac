// Asks a CA's responder about one certificate (OCSP): the request, and what its answer says. It
// goes over plain http, so an answer is nothing but what its signature makes of it. [RFC 6960]
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "acme/revocation_list.h"
#include "acme/x509.h"

namespace nolapse::acme {

// DER, for a POST with the type application/ocsp-request. Both with their DER; empty where one of
// them is no certificate. [RFC 6960 §4.1]
std::string make_status_request(const Certificate& certificate, const Certificate& issuer);

// Nothing: it is not revoked. Errors: transient BAD_STATUS_RESPONSE: no answer, signed by nobody
// who may (the issuer, or whom it has authorised), not in force at `now`, or about another
// certificate. [RFC 6960 §3.2]
Result<std::optional<Revocation>> parse_status_response(std::string_view der,
                                                        const Certificate& certificate,
                                                        const Certificate& issuer, Time now);

}  // namespace nolapse::acme
