// Authorities among certificates.
#pragma once

#include <string>
#include <string_view>

namespace nolapse::acme {

// May this certificate, in DER, sign others? [RFC 5280 §4.2.1.9]; a root of version 1 may, too.
bool is_authority(std::string_view der);

// By what name OpenSSL keeps the issuer's certificate in a directory of anchors, without the number
// behind it: "4042bcee". Empty: that is no certificate.
std::string issuer_hash(std::string_view der);

}  // namespace nolapse::acme
