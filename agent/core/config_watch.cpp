// [[watch]]: a certificate that somebody else renews, by where it is served or where it lies. Names
// are shared with [[certificate]], because alerts and silences know a certificate by its name.
#include "agent/core/config_endpoint.h"
#include "agent/core/config_files.h"
#include "agent/core/config_parts.h"

namespace nolapse {
namespace {

void read_watched_endpoints(ConfigSection& section, WatchSpec& watch) {
  const auto items = section.texts("endpoints", true);
  if (!items) return;
  for (const ConfigNode* item : *items) {
    auto endpoint = parse_endpoint(item->text, {});
    if (endpoint) {
      watch.endpoints.push_back(std::move(*endpoint));
    } else {
      section.problem_at(*item, "endpoints", endpoint.error().reason, endpoint.error().fix);
    }
  }
}

void read_watched_files(ConfigSection& section, WatchSpec& watch) {
  const auto items = section.texts("files", true);
  if (!items) return;
  for (const ConfigNode* item : *items) {
    watch.files.push_back(resolve_path(directory_of(section.table().place.file), item->text));
  }
}

}  // namespace

void read_watch(const ConfigNode& table, int number, ConfigContext& context) {
  ConfigSection section(table, "watch", "", context.problems);
  WatchSpec watch;
  watch.name = read_name(section, number, context);
  const auto& certificates = context.defined["certificate"];
  if (const auto same = certificates.find(watch.name); same != certificates.end()) {
    section.problem("name",
                    "there is already a certificate named \"" + watch.name + "\" at " +
                        same->second.file + ":" + std::to_string(same->second.line),
                    "rename one of them; a certificate of nolapse's own needs no [[watch]]");
  }
  read_watched_endpoints(section, watch);
  read_watched_files(section, watch);
  watch.roots_file = read_readable_file(section, "roots", context);
  if (table.find("endpoints") == nullptr && table.find("files") == nullptr) {
    section.problem("endpoints", "this [[watch]] says neither where it is served nor where it lies",
                    "add endpoints = [\"HOST:PORT\"], or files = [\"/path/cert.pem\"]");
  }
  section.refuse_unknown_keys();
  context.config.watches.push_back(std::move(watch));
}

}  // namespace nolapse
