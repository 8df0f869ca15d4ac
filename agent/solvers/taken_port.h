// A listener of ours whose port somebody else has.
#pragma once

#include <functional>
#include <string>

#include "agent/world/world.h"

namespace nolapse {

// The error of a responder, with the name of the process that has the port where that was not seen
// at once and somebody who sees more knows it. Everything else comes back as it was. `done` may be
// called before this returns.
void name_listener(const World& world, const std::string& listen, Error error,
                   std::function<void(Error)> done);

}  // namespace nolapse
