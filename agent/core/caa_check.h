// Looks at the CAA records before a CA is asked that would look at them too. A CA that finds itself
// forbidden counts a failed validation. [RFC 8659 §3]
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "acme/caa.h"
#include "agent/world/world.h"

namespace nolapse {

struct CaaRefusal {
  acme::Identifier identifier;
  std::string text;  // "shop.example: CAA at example: issue \"other.example\" names another CA"
  bool looked_up = true;  // false: no records were to be had, which may change by itself
};

// Asks the resolver, each name once. A look-up that fails is a refusal as well, as it is for a CA.
// Calls back late; nothing where the CA does not say what it is called.
void check_caa(World world, std::vector<acme::Identifier> identifiers, acme::CaaRequest request,
               std::function<void(std::vector<CaaRefusal>)> done);

}  // namespace nolapse
