#include "agent/core/config_reader.h"

#include <toml++/toml.h>

#include <algorithm>
#include <utility>

namespace nolapse {
namespace {

// No section nests deeper than certificate → item → list → item. What lies below is under a key
// that is refused anyhow, and a crafted file shall not exhaust the stack.
constexpr int depth_limit = 8;
// toml++ recurses once per dot of a dotted key, without a limit of its own.
constexpr std::ptrdiff_t dots_in_line_limit = 4096;

int line_with_too_many_dots(std::string_view text) {
  int line = 1;
  while (!text.empty()) {
    const std::string_view current = text.substr(0, text.find('\n'));
    if (std::count(current.begin(), current.end(), '.') > dots_in_line_limit) return line;
    text.remove_prefix(std::min(current.size() + 1, text.size()));
    ++line;
  }
  return 0;
}

ConfigNode convert(const toml::node& node, const std::string& file, int depth);

void convert_table(const toml::table& table, ConfigNode& result, int depth) {
  std::vector<std::pair<toml::source_position, ConfigNode>> members;
  for (auto&& [key, value] : table) {
    ConfigNode member = convert(value, result.place.file, depth);
    member.key = std::string(key.str());
    member.place.line = static_cast<int>(key.source().begin.line);
    members.emplace_back(key.source().begin, std::move(member));
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& member : members) result.children.push_back(std::move(member.second));
}

ConfigNode convert(const toml::node& node, const std::string& file, int depth) {
  using Kind = ConfigNode::Kind;
  ConfigNode result;
  result.place = {file, static_cast<int>(node.source().begin.line)};
  if (const auto* table = node.as_table()) {
    result.kind = Kind::table;
    if (depth < depth_limit) convert_table(*table, result, depth + 1);
  } else if (const auto* list = node.as_array()) {
    result.kind = Kind::list;
    if (depth < depth_limit) {
      for (const toml::node& item : *list) {
        result.children.push_back(convert(item, file, depth + 1));
      }
    }
  } else if (const auto* text = node.as_string()) {
    result.kind = Kind::string;
    result.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    result.kind = Kind::integer;
    result.number = number->get();
  } else if (const auto* truth = node.as_boolean()) {
    result.kind = Kind::boolean;
    result.truth = truth->get();
  } else {
    result.kind = node.is_floating_point() ? Kind::real : Kind::date;
  }
  return result;
}

}  // namespace

const ConfigNode* ConfigNode::find(std::string_view name) const {
  if (kind != Kind::table) return nullptr;
  for (const ConfigNode& child : children) {
    if (child.key == name) return &child;
  }
  return nullptr;
}

tl::expected<ConfigNode, ConfigProblem> parse_config(const std::string& file,
                                                     const std::string& text) {
  if (const int line = line_with_too_many_dots(text); line != 0) {
    return tl::unexpected(ConfigProblem{file, line, "",
                                        "a line with thousands of dots is no setting",
                                        "look whether this is the right file"});
  }
  try {
    ConfigNode root = convert(toml::parse(text, file), file, 0);
    root.place.line = 0;
    return root;
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    return tl::unexpected(ConfigProblem{
        file, static_cast<int>(at.line), "", "not valid TOML: " + std::string(error.description()),
        "correct the syntax at or before column " + std::to_string(at.column)});
  }
}

}  // namespace nolapse
