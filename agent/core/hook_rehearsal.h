// Asks the deploy hooks of a certificate whether they would succeed, with the verb `rehearse`: the
// pair is tried in a shadow place, nothing that is served changes. Hooks of other clients know no
// verbs and would deploy; of them only what can be seen without starting them is looked at.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/hook.h"
#include "agent/core/target_turns.h"

namespace nolapse {

struct HookRehearsal {
  std::vector<std::string> not_shown;  // for people
  std::optional<Error> error;          // the first, with what the others said
};

// Targets are asked at the same time, each when it is its turn there. The references must outlive
// it.
void rehearse_hooks(World world, TargetTurns& turns, EventStream& events, const Config& config,
                    const CertificateSpec& spec, const Generation& generation,
                    std::function<void(HookRehearsal)> done);

}  // namespace nolapse
