// Authorities among certificates.
#pragma once

#include <string_view>

namespace nolapse::acme {

// May this certificate, in DER, sign others? [RFC 5280 §4.2.1.9]; a root of version 1 may, too.
bool is_authority(std::string_view der);

}  // namespace nolapse::acme
