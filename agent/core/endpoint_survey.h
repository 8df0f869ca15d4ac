// Looks at many endpoints at once: each address that a name has, with a limit on what is under way,
// so that thousands neither take long nor much memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/world/world.h"

namespace nolapse {

struct SurveyOptions {
  std::string roots_file = {};     // trust anchors in PEM; empty: the system's
  std::size_t most_at_once = 128;  // connections and look-ups of names
  Duration timeout = std::chrono::seconds(5);
};

// `index` is the endpoint's. `address` is empty when the name does not resolve; then the reply is
// unreachable, and says why.
using SurveyEach =
    std::function<void(std::size_t index, const std::string& address, const ProbeReply& reply)>;

// Calls `each` as replies come, then `done`.
void survey_endpoints(World world, std::vector<Endpoint> endpoints, SurveyOptions options,
                      SurveyEach each, std::function<void()> done);

}  // namespace nolapse
