#include "agent/core/config_parts.h"

#include <algorithm>

#include "agent/core/config_files.h"

namespace nolapse {
namespace {

// What messages call a thing of this section.
std::string noun(const std::string& kind) {
  if (kind == "ca") return "CA";
  return kind == "deploy" ? "deploy target" : kind;
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Without encryption only what stays on this host.
bool is_plain_http_here(const std::string& url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) return false;
  const std::string rest = url.substr(scheme.size());
  for (const std::string host : {"127.0.0.1", "[::1]", "localhost"}) {
    if (!rest.starts_with(host)) continue;
    const char next = rest.size() == host.size() ? '/' : rest[host.size()];
    if (next == '/' || next == ':') return true;
  }
  return false;
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

void read_environment(ConfigSection& section, std::map<std::string, std::string>& environment) {
  const ConfigNode* table = section.find("env");
  if (table == nullptr) return;
  if (table->kind != ConfigNode::Kind::table) {
    section.problem("env", "must be a table", "write env = { NAME = \"value\" }");
    return;
  }
  for (const ConfigNode& variable : table->children) {
    const std::string key = "env." + variable.key;
    if (!is_variable_name(variable.key)) {
      section.problem_at(variable, key, "cannot be the name of an environment variable",
                         "use letters, digits and _, with no digit in front");
    } else if (variable.key.rfind("NOLAPSE_", 0) == 0) {
      section.problem_at(variable, key, "is one of the names that nolapse itself sets",
                         "use a name that does not begin with NOLAPSE_");
    } else if (variable.key == "PATH") {
      section.problem_at(variable, key, "programs run with a fixed PATH",
                         "remove it, and call programs in other places by their absolute path");
    } else if (variable.kind != ConfigNode::Kind::string) {
      section.problem_at(variable, key, "must be a string", "write the value in double quotes");
    } else if (variable.text.find('\0') != std::string::npos) {
      section.problem_at(variable, key, "holds a NUL character", "remove it");
    } else {
      environment.emplace(variable.key, variable.text);
    }
  }
}

void check_executable(ConfigSection& section, const std::string& key, const std::string& path,
                      const ConfigContext& context, RunBy run_by) {
  const auto status = status_through_links(context.files, path);
  const bool by_this_user = run_by == RunBy::this_user;
  if (!status && status.error().code == "FILE_MISSING") {
    section.problem(key, path + " does not exist", "create it, or correct the path");
  } else if (!status && !by_this_user && status.error().code == "PERMISSION_DENIED") {
    // Whoever runs it may look.
  } else if (!status) {
    section.problem_at(*section.table().find(key), key, status.error(),
                       "name a program that nolapse may run");
  } else if (status->kind != FileStatus::Kind::file) {
    section.problem(key, path + " is not a file", "name an executable file");
  } else if ((status->mode & 0111) == 0) {
    section.problem(key, path + " is not executable", "run: chmod +x " + path);
  } else if (!status->executable && by_this_user) {
    section.problem(key, path + " may not be executed by the user who runs nolapse",
                    "run nolapse as a user who may, or run: chmod a+x " + path);
  }
}

std::string read_user(ConfigSection& section) {
  std::string user = section.text("user").value_or("");
  if (user.find_first_of(" :/") != std::string::npos) {
    section.problem("user", "\"" + user + "\" is no user name",
                    "write the name of one user of this host");
  }
  return user;
}

std::string read_readable_file(ConfigSection& section, const std::string& key,
                               const ConfigContext& context) {
  const std::string path = read_path(section, key);
  if (path.empty() || context.use == ConfigUse::look) return path;
  const auto content = context.files.read(path);
  if (!content && content.error().code == "FILE_MISSING") {
    section.problem(key, path + " does not exist", "create it, or correct the path");
  } else if (!content) {
    section.problem_at(*section.table().find(key), key, content.error(),
                       "name a file that the user who runs nolapse may read");
  } else if (content->find_first_not_of(" \t\r\n") == std::string::npos) {
    section.problem(key, path + " is empty", "write into it what the README says");
  }
  return path;
}

std::string read_service_url(ConfigSection& section, const std::string& key) {
  std::string url = section.text(key).value_or("");
  if (url.empty()) return url;
  if (url.find('@') != std::string::npos) {
    section.problem(key, "holds a user name or password, and secrets are never in this file",
                    "write it without them");
  } else if (!url.starts_with("https://") && !is_plain_http_here(url)) {
    section.problem(key, "\"" + url + "\" is not an https URL",
                    "write https://HOST/PATH; http:// is for this host's own address only");
  }
  return url;
}

std::string read_program(ConfigSection& section, const std::string& key,
                         const ConfigContext& context) {
  std::string path = section.text(key).value_or("");
  if (path.empty()) return path;
  if (path.front() != '/') {
    section.problem(key, "\"" + path + "\" is not an absolute path",
                    "write the program's path, which begins with /; no shell reads it, so options "
                    "need a script of their own");
    return {};
  }
  if (context.use == ConfigUse::work) check_executable(section, key, path, context);
  return path;
}

}  // namespace nolapse
