// When the CA would like a certificate to be renewed (ARI), as pure values. [RFC 9773]
//
// The window is advice from outside: it is checked here for what it is, and the schedule decides
// how far it is followed. Times are cut to whole seconds, the precision of the state files, so
// that a saved window equals the same window asked for again and one window gives one instant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "acme/http_message.h"
#include "acme/result.h"
#include "acme/x509.h"

namespace nolapse::acme {

// base64url(keyIdentifier) "." base64url(serial number). Empty for a certificate without an
// authority key identifier: the CA cannot be asked about it. [RFC 9773 §4.1]
std::string renewal_certificate_id(const Certificate& certificate);

// Where to ask, from the directory's `renewalInfo`. Empty when either part is. [RFC 9773 §4.1]
std::string renewal_info_url(std::string_view renewal_info, std::string_view certificate_id);

struct RenewalInfo {
  Time start{};  // start < end
  Time end{};
  std::string explanation_url;  // for a person; http(s), safe to print; empty: none
};

// Errors: transient BAD_RENEWAL_INFO for a body without a window, or with one that is empty or
// reversed; it counts as no answer. [RFC 9773 §4.2]
Result<RenewalInfo> parse_renewal_info(std::string_view body);

// When to ask again: Retry-After between a minute and a day, 6 hours where there is none. A date
// is read by the CA's own Date, so that a wrong local clock does not matter. [RFC 9773 §4.3]
Time renewal_info_poll_after(const HttpResponse& response, Time now);

// A whole second in [start, end), uniform over seeds. A pure function: the same window and seed
// give the same instant after any number of polls and restarts, and any other window an unrelated
// one; drawing anew at each poll would bias renewals early. The seed should differ between
// certificates and installations. [RFC 9773 §4.2]
Time choose_renewal_instant(const RenewalInfo& info, std::uint64_t seed);

}  // namespace nolapse::acme
