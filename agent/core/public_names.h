// What no public CA issues a certificate for, whoever asks: names that are nobody's below the root,
// and addresses that are not reached from everywhere. A private CA may issue for all of them.
#pragma once

#include <string>

#include "acme/identifier.h"

namespace nolapse {

// Is this directory one of a CA that browsers trust, as far as is known here? A CA that is not
// known is taken for a private one.
bool is_public_directory(const std::string& url);

// Why none of these CAs would issue for it; empty: nothing is known against it. Names and addresses
// that are reserved for documentation pass: examples are checked, too. [RFC 6761, RFC 6890]
std::string why_not_public(const acme::Identifier& identifier);

}  // namespace nolapse
