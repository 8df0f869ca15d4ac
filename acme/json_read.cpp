#include "acme/json_read.h"

#include <algorithm>

namespace nolapse::acme {

using nlohmann::json;

Result<json> parse_object(std::string_view text, std::string_view what) {
  json document = json::parse(text, nullptr, false);
  if (!document.is_object()) {
    return fail(ErrorKind::transient, "BAD_JSON",
                std::string(what) + " is not a JSON object: \"" + printable(text, 80) + "\"");
  }
  return document;
}

namespace {

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string string_member(const json& object, const char* name) {
  const json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<std::string> string_list_member(const json& object, const char* name) {
  std::vector<std::string> list;
  for (const json& element : array_member(object, name)) {
    if (element.is_string()) list.push_back(element.get<std::string>());
  }
  return list;
}

std::optional<std::int64_t> integer_member(const json& object, const char* name) {
  const json* value = member(object, name);
  if (value == nullptr || !value->is_number_integer()) return {};
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return {};
  return value->get<std::int64_t>();
}

bool bool_member(const json& object, const char* name) {
  const json* value = member(object, name);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::optional<Time> time_member(const json& object, const char* name) {
  return parse_rfc3339(string_member(object, name));
}

const json& array_member(const json& object, const char* name) {
  static const json empty = json::array();
  const json* value = member(object, name);
  return value != nullptr && value->is_array() ? *value : empty;
}

const json& object_member(const json& object, const char* name) {
  static const json empty = json::object();
  const json* value = member(object, name);
  return value != nullptr && value->is_object() ? *value : empty;
}

std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string printable(std::string_view text, std::size_t limit) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
  if (plain && text.size() <= limit) return std::string(text);
  std::string line;
  for (const char c : text.substr(0, limit)) {
    const auto octet = static_cast<unsigned char>(c);
    line += octet < 0x20 || octet == 0x7f ? ' ' : c;
    // U+0080 to U+009F are control characters too, and some terminals obey them.
    const std::size_t size = line.size();
    if (size >= 2 && line[size - 2] == '\xc2' && octet >= 0x80 && octet < 0xa0) {
      line.replace(size - 2, 2, " ");
    }
  }
  if (text.size() > limit) line += "…";
  // A cut or hostile UTF-8 sequence must not reach a terminal or a JSON document.
  const std::string quoted = dump(json(line));
  return json::parse(quoted, nullptr, false).get<std::string>();
}

}  // namespace nolapse::acme
