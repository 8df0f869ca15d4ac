// What several documents of the command line have in common, in the published form (schema 1).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/core/alert.h"

namespace nolapse {

// null for what there is none of.
nlohmann::json time_or_null(const std::optional<Time>& time);
nlohmann::json text_or_null(const std::string& text);

nlohmann::json finding_values(const Finding& finding);
nlohmann::json silence_values(const Silence& silence);
// How one channel fares, and how many messages wait for it.
nlohmann::json channel_values(const std::string& name, const std::string& type,
                              const ChannelRecord& record, std::size_t waiting);

}  // namespace nolapse
