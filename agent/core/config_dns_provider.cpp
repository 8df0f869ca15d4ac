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

enum class Value {
  text,
  address,  // "ADDRESS:PORT"
  file,     // readable by nolapse
  url,
  proxy,
  program,  // an absolute path of what this user may run
  script,   // an acme.sh dnsapi script
  seconds,  // a duration, kept as its number of seconds
  user,
  lego_mode,
  environment,
};

struct ProviderKey {
  std::string_view providers;  // words
  std::string_view key;
  Value value = Value::text;
  bool required = false;
};

constexpr std::array provider_keys = {
    ProviderKey{"rfc2136", "server", Value::address, true},
    ProviderKey{"rfc2136", "tsig_key_file", Value::file},
    ProviderKey{"rfc2136", "zone"},  // default: found by asking

    ProviderKey{"exec lego-exec", "program", Value::program, true},
    ProviderKey{"lego-exec httpreq", "mode", Value::lego_mode},
    ProviderKey{"acme.sh", "script", Value::script, true},
    ProviderKey{"acme.sh", "env_file", Value::file},
    ProviderKey{"acme.sh", "shim", Value::program},  // default: the installed one
    ProviderKey{"certbot-hook", "auth_hook", Value::program, true},
    ProviderKey{"certbot-hook", "cleanup_hook", Value::program},
    ProviderKey{"exec acme.sh lego-exec certbot-hook", "user", Value::user},
    ProviderKey{"exec acme.sh lego-exec certbot-hook", "timeout", Value::seconds},
    ProviderKey{"exec acme.sh lego-exec certbot-hook", "env", Value::environment},

    ProviderKey{"httpreq", "endpoint", Value::url, true},
    ProviderKey{"httpreq", "username"},
    ProviderKey{"httpreq", "password_file", Value::file},
    ProviderKey{"acme-dns", "credentials_file", Value::file, true},

    ProviderKey{"cloudflare digitalocean hetzner gandi desec", "token_file", Value::file, true},
    ProviderKey{"route53", "access_key_id", Value::text, true},
    ProviderKey{"route53", "secret_access_key_file", Value::file, true},
    ProviderKey{"route53", "session_token_file", Value::file},
    ProviderKey{"acme-dns cloudflare route53 digitalocean hetzner gandi desec", "api", Value::url},
    ProviderKey{"httpreq acme-dns cloudflare route53 digitalocean hetzner gandi desec", "roots",
                Value::file},
    ProviderKey{"httpreq acme-dns cloudflare route53 digitalocean hetzner gandi desec", "proxy",
                Value::proxy},
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

bool is_key_of(const ProviderKey& key, const std::string& provider) {
  const auto providers = words_of(key.providers);
  return std::find(providers.begin(), providers.end(), provider) != providers.end();
}

std::vector<std::string> known_providers() {
  std::vector<std::string> names;
  for (const ProviderKey& key : provider_keys) {
    for (const std::string& name : words_of(key.providers)) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
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
// Paths are appended to it.
std::string read_base_url(ConfigSection& section, const std::string& key) {
  std::string url = read_service_url(section, key);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string read_script(ConfigSection& section, const std::string& key,
                        const ConfigContext& context) {
  std::string path = read_readable_file(section, key, context);
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!path.empty() && (!name.starts_with("dns_") || !name.ends_with(".sh"))) {
    section.problem(key, "\"" + name + "\" is no name of an acme.sh DNS script",
                    "name a script such as /opt/acme.sh/dnsapi/dns_cf.sh");
  }
  return path;
}

std::string read_seconds(ConfigSection& section, const std::string& key) {
  const auto duration =
      section.duration(key, std::chrono::seconds(1), std::chrono::hours(1), "from 1s to 1h");
  if (!duration) return {};
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*duration).count());
}

std::string read_lego_mode(ConfigSection& section, const std::string& key) {
  std::string mode = section.text(key).value_or("");
  if (!mode.empty() && mode != "RAW") {
    section.problem(key, "\"" + mode + "\" is no mode of lego's",
                    "write \"RAW\", or remove it for the default");
  }
  return mode;
}

std::string read_value(ConfigSection& section, const ProviderKey& key, ChallengeConfig& challenge,
                       const ConfigContext& context) {
  const std::string name(key.key);
  switch (key.value) {
    case Value::address:
      return read_address(section, name);
    case Value::file:
      return read_readable_file(section, name, context);
    case Value::url:
      return read_base_url(section, name);
    case Value::proxy:
      return read_proxy(section);
    case Value::program:
      return read_program(section, name, context);
    case Value::script:
      return read_script(section, name, context);
    case Value::seconds:
      return read_seconds(section, name);
    case Value::user:
      return read_user(section);
    case Value::lego_mode:
      return read_lego_mode(section, name);
    case Value::environment:
      read_environment(section, challenge.environment);
      return {};
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
    if (!is_key_of(key, *provider)) continue;
    const std::string name(key.key);
    std::string value = read_value(section, key, challenge, context);
    if (!value.empty()) challenge.settings.emplace(name, std::move(value));
    if (key.required && section.table().find(name) == nullptr) {
      section.problem(name, "is missing, and " + *provider + " needs it",
                      "add " + name + " = \"...\" as the README shows");
    }
  }
}

}  // namespace nolapse
