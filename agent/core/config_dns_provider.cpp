// The keys of [challenge.NAME] that belong to a way into the DNS, as a table: a provider is a row
// of keys, and what kind of value each of them takes. Secrets stand in files, never here.
#include <algorithm>
#include <array>
#include <string_view>

#include "agent/core/config_endpoint.h"
#include "agent/core/config_files.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

enum class Value { text, address, secret_file };

struct ProviderKey {
  std::string_view provider;
  std::string_view key;
  Value value = Value::text;
  bool required = false;
};

constexpr std::array provider_keys = {
    ProviderKey{"rfc2136", "server", Value::address, true},
    ProviderKey{"rfc2136", "tsig_key_file", Value::secret_file},
    ProviderKey{"rfc2136", "zone"},  // default: found by asking
};

std::vector<std::string> known_providers() {
  std::vector<std::string> names;
  for (const ProviderKey& key : provider_keys) {
    const std::string name(key.provider);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string read_address(ConfigSection& section, const std::string& key) {
  const auto text = section.text(key);
  if (!text) return {};
  const auto at = parse_host_port(*text);
  if (at && at->is_address) return at->text();
  section.problem(key,
                  at ? "\"" + *text + "\" has a name where the address belongs" : at.error().reason,
                  "write ADDRESS:PORT, such as \"192.0.2.53:53\"");
  return {};
}

// That it can be read is looked at here; what it holds is the provider's to judge.
std::string read_secret_file(ConfigSection& section, const std::string& key,
                             const ConfigContext& context) {
  const std::string path = read_path(section, key);
  if (path.empty() || context.use == ConfigUse::look) return path;
  const auto content = context.files.read(path);
  if (!content && content.error().code == "FILE_MISSING") {
    section.problem(key, path + " does not exist", "create it, or correct the path");
  } else if (!content) {
    section.problem_at(*section.table().find(key), key, content.error(),
                       "name a file that the user who runs nolapse may read");
  }
  return path;
}

std::string read_value(ConfigSection& section, const ProviderKey& key,
                       const ConfigContext& context) {
  const std::string name(key.key);
  switch (key.value) {
    case Value::address:
      return read_address(section, name);
    case Value::secret_file:
      return read_secret_file(section, name, context);
    case Value::text:
      break;
  }
  return section.text(name).value_or("");
}

}  // namespace

void read_dns_provider(ConfigSection& section, ChallengeConfig& challenge,
                       const ConfigContext& context) {
  const auto provider = section.text("provider");
  if (!provider) {
    if (section.table().find("provider") == nullptr) {
      section.problem("provider", "this challenge does not say how to reach the zone",
                      "add provider = \"rfc2136\", or another of those in the README");
    }
    return;
  }
  challenge.provider = *provider;
  const auto known = known_providers();
  if (std::find(known.begin(), known.end(), *provider) == known.end()) {
    section.problem("provider", "\"" + *provider + "\" is no way into the DNS",
                    suggest(*provider, known));
    return;
  }
  for (const ProviderKey& key : provider_keys) {
    if (key.provider != *provider) continue;
    const std::string name(key.key);
    std::string value = read_value(section, key, context);
    if (!value.empty()) challenge.settings.emplace(name, std::move(value));
    if (key.required && section.table().find(name) == nullptr) {
      section.problem(name, "is missing, and " + *provider + " needs it",
                      "add " + name + " = \"...\" as the README shows");
    }
  }
}

}  // namespace nolapse
