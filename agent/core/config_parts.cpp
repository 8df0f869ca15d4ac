#include "agent/core/config_parts.h"

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

// What messages call a thing of this section.
std::string noun(const std::string& kind) {
  if (kind == "ca") return "CA";
  return kind == "deploy" ? "deploy target" : kind;
}

}  // namespace

std::string read_name(ConfigSection& section, int number, ConfigContext& context) {
  section.rename(section.kind() + "[" + std::to_string(number) + "]");
  const ConfigNode* node = section.find("name");
  if (node == nullptr) {
    section.problem("name", "this [[" + section.kind() + "]] has no name",
                    "add name = \"...\"; directories and messages are called by it");
    return {};
  }
  const auto name = section.text("name");
  if (!name || !define_name(section, *name, "name", context)) return {};
  section.rename(section.kind() + "." + *name);
  return *name;
}

bool define_name(ConfigSection& section, const std::string& name, const std::string& key,
                 ConfigContext& context) {
  const auto [first, fresh] = context.defined[section.kind()].emplace(name, section.table().place);
  if (!is_valid_name(name)) {
    section.problem(key, "\"" + name + "\" cannot be used as a name", name_rule);
    return false;
  }
  if (fresh) return true;
  section.problem(key,
                  "there is already a " + noun(section.kind()) + " named \"" + name + "\" at " +
                      first->second.file + ":" + std::to_string(first->second.line),
                  "rename or remove one of them");
  return false;
}

std::vector<std::string> defined_names(const ConfigContext& context, const std::string& kind) {
  std::vector<std::string> names;
  const auto found = context.defined.find(kind);
  if (found == context.defined.end()) return names;
  for (const auto& [name, place] : found->second) names.push_back(name);
  return names;
}

bool check_reference(ConfigSection& section, const ConfigNode& node, const std::string& key,
                     const std::string& kind, const ConfigContext& context) {
  const auto found = context.defined.find(kind);
  if (found != context.defined.end() && found->second.count(node.text) != 0) return true;
  if (!context.complete) return false;
  const auto names = defined_names(context, kind);
  const std::string define = kind == "ca" ? "add [[ca]] with name = \"" + node.text + "\""
                                          : "add [" + kind + "." + node.text + "]";
  section.problem_at(node, key, "no " + noun(kind) + " is named \"" + node.text + "\"",
                     names.empty() ? define : suggest(node.text, names));
  return false;
}

std::string read_path(ConfigSection& section, const std::string& key) {
  const auto path = section.text(key);
  if (!path) return {};
  return resolve_path(directory_of(section.table().place.file), *path);
}

std::optional<acme::KeyType> read_key_type(ConfigSection& section, const std::string& key) {
  if (!section.text(key)) return {};
  return key_type_of(section, *section.table().find(key), key);
}

std::optional<acme::KeyType> key_type_of(ConfigSection& section, const ConfigNode& node,
                                         const std::string& key) {
  const auto type = acme::parse_key_type(node.text);
  if (!type) {
    std::vector<std::string> known;
    for (const auto each :
         {acme::KeyType::ecdsa_p256, acme::KeyType::ecdsa_p384, acme::KeyType::rsa_2048,
          acme::KeyType::rsa_3072, acme::KeyType::rsa_4096}) {
      known.emplace_back(acme::name_of(each));
    }
    section.problem_at(node, key, "\"" + node.text + "\" is no key type",
                       suggest(node.text, known));
  }
  return type;
}

}  // namespace nolapse
