// The settings above all sections: where state lies, whom a CA may write to, which files belong
// to the configuration. They stand in the main file only, so that a dropped-in conf.d file can add
// a certificate but not move the state directory. [RFC 8555 §7.3 (contact)]
#include <algorithm>

#include "agent/core/config_endpoint.h"
#include "agent/core/config_files.h"
#include "agent/core/config_not_yet.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

// A contact URL as CAs take it: one address, no header fields. [RFC 8555 §7.3, RFC 6068]
bool is_contact(std::string_view url) {
  constexpr std::string_view scheme = "mailto:";
  if (url.substr(0, scheme.size()) != scheme) return false;
  const std::string_view address = url.substr(scheme.size());
  const std::size_t at = address.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != address.size() &&
         address.find('@', at + 1) == std::string_view::npos &&
         std::all_of(address.begin(), address.end(), [](char c) {
           return c > 0x20 && c < 0x7f &&
                  std::string_view(",;?<>\"").find(c) == std::string_view::npos;
         });
}

void read_contact(ConfigSection& top, Config& config) {
  const auto items = top.texts("contact", false);
  if (!items) return;
  for (const ConfigNode* item : *items) {
    if (is_contact(item->text)) {
      config.contact.push_back(item->text);
    } else if (is_contact("mailto:" + item->text)) {
      top.problem_at(*item, "contact", "\"" + item->text + "\" is not a URL",
                     "write \"mailto:" + item->text + "\"");
    } else {
      top.problem_at(*item, "contact", "\"" + item->text + "\" is not a mail address as a URL",
                     "write one address each, such as \"mailto:ops@shop.example\"");
    }
  }
}

void read_resolver(ConfigSection& top, Config& config) {
  const auto text = top.text("resolver");
  if (!text) return;
  const auto at = parse_host_port(*text);
  if (!at || !at->is_address) {
    top.problem("resolver", "\"" + *text + "\" is not the address and port of a DNS server",
                "write ADDRESS:PORT, such as \"127.0.0.1:53\" or \"[::1]:53\"");
    return;
  }
  config.resolver = at->text();
}

void read_directories(ConfigSection& top, Config& config) {
  const std::string state = read_path(top, "state_dir");
  if (!state.empty()) config.state_directory = state;
  const std::string socket = read_path(top, "hook_socket");
  if (!socket.empty()) config.hook_socket = socket;
  const auto hooks = top.text("hook_directory");
  if (!hooks) return;
  if (hooks->front() != '/') {
    top.problem("hook_directory", "\"" + *hooks + "\" is not an absolute path",
                "write a path that begins with /");
    return;
  }
  config.hook_directory = resolve_path("/", *hooks);
}

// Files are the only storage there is.
void read_storage(ConfigSection& top, ConfigContext& context) {
  const ConfigNode* table = top.find("storage");
  if (table == nullptr) return;
  if (table->kind != ConfigNode::Kind::table) {
    top.problem("storage", "must be a table", "write [storage], and its settings below it");
    return;
  }
  ConfigSection section(*table, "storage", "storage", context.problems);
  const std::string type = section.text("type").value_or("files");
  if (is_not_yet_supported("storage", "type", type)) {
    section.not_supported(*table->find("type"), "type", "\"" + type + "\"", "write \"files\"");
  } else if (type != "files") {
    section.problem("type", "\"" + type + "\" is no kind of storage", "write \"files\"");
  }
  section.refuse_unknown_keys();
}

// What one pattern names, without the files that an earlier one brought.
void include(ConfigSection& top, const ConfigNode& at, const std::string& pattern,
             std::vector<std::string>& included, ConfigContext& context) {
  const std::string& main_file = top.table().place.file;
  const std::string path = resolve_path(directory_of(main_file), pattern);
  const auto found = expand_pattern(context.files, path);
  if (!found) {
    context.complete = false;
    top.problem_at(at, "include", found.error(),
                   "let the user who runs nolapse read that directory");
    return;
  }
  if (found->empty() && !has_wildcard(path)) {
    context.complete = false;
    top.problem_at(at, "include", path + " does not exist",
                   "create it, correct the path, or remove it from the list");
  }
  // A pattern's own matches differ from each other; thousands of files stay quick.
  const auto earlier = static_cast<std::ptrdiff_t>(included.size());
  for (const std::string& file : *found) {
    const auto end = included.begin() + earlier;
    if (file != main_file && std::find(included.begin(), end, file) == end) {
      included.push_back(file);
    }
  }
}

}  // namespace

std::vector<std::string> read_settings(ConfigSection& top, ConfigContext& context) {
  read_directories(top, context.config);
  read_contact(top, context.config);
  read_resolver(top, context.config);
  read_daemon(top, context);
  read_alerts(top, context);
  read_storage(top, context);
  std::vector<std::string> included;
  if (top.find("include") == nullptr) {
    include(top, top.table(), "conf.d/*.toml", included, context);
  } else if (const auto patterns = top.texts("include", false)) {
    for (const ConfigNode* pattern : *patterns) {
      include(top, *pattern, pattern->text, included, context);
    }
  } else {
    context.complete = false;
  }
  return included;
}

void refuse_settings(ConfigSection& top, const std::string& main_file) {
  for (const char* key : {"state_dir", "contact", "include", "resolver", "hook_directory",
                          "hook_socket", "daemon", "alerts", "storage"}) {
    if (top.find(key) == nullptr) continue;
    top.problem(key, "is a global setting, and this is an included file",
                "move it to " + main_file);
  }
}

}  // namespace nolapse
