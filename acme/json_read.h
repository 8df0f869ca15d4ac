// Tolerant reading of JSON from a CA: a member of the wrong type is treated as absent, so that
// hostile or novel documents degrade instead of throwing.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/result.h"

namespace nolapse::acme {

// An object, or an error (kind transient, code BAD_JSON) that names `what`.
Result<nlohmann::json> parse_object(std::string_view text, std::string_view what);

std::string string_member(const nlohmann::json& object, const char* name);
std::vector<std::string> string_list_member(const nlohmann::json& object, const char* name);
std::optional<std::int64_t> integer_member(const nlohmann::json& object, const char* name);
bool bool_member(const nlohmann::json& object, const char* name);
std::optional<Time> time_member(const nlohmann::json& object, const char* name);
// The array (or object) of that name; an empty one when absent or of another type.
const nlohmann::json& array_member(const nlohmann::json& object, const char* name);
const nlohmann::json& object_member(const nlohmann::json& object, const char* name);

// Serialises anything a CA may have sent: invalid UTF-8 is replaced, never thrown.
std::string dump(const nlohmann::json& value, int indent = -1);

// Text from a CA or a hook made fit for one line on a terminal: control characters become
// spaces, at most `limit` octets.
std::string printable(std::string_view text, std::size_t limit = 2000);

}  // namespace nolapse::acme
