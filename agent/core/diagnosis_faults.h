// What is wrong with one address, from the handshake that was seen there.
#pragma once

#include <optional>
#include <string>

#include "agent/core/diagnosis.h"

namespace nolapse {

struct Fault {
  std::string code;
  Cause cause = Cause::unknown;
  std::string what;  // "serves a certificate that expired 3d 4h ago, on 2026-11-20T…"
};

// Nothing: a client would be content. Whether the page is, is another question.
std::optional<Fault> fault_of(const SeenEndpoint& endpoint, const SeenAddress& seen, Time now);

// Of what it serves: "shop.test, www.shop.test, issued by \"R11\"".
std::string describe_leaf(const acme::Certificate& leaf);

}  // namespace nolapse
