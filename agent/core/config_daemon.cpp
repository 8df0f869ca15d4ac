// [daemon]: how the agent goes about its work when nobody watches. Stands in the main file only,
// as the settings above all sections do.
#include "agent/core/config_endpoint.h"
#include "agent/core/config_parts.h"

namespace nolapse {

void read_daemon(ConfigSection& top, ConfigContext& context) {
  using std::chrono::hours;
  using std::chrono::seconds;
  const ConfigNode* table = top.find("daemon");
  if (table == nullptr) return;
  if (table->kind != ConfigNode::Kind::table) {
    top.problem("daemon", "must be a table", "write [daemon], and its settings below it");
    return;
  }
  ConfigSection section(*table, "daemon", "daemon", context.problems);
  DaemonConfig& daemon = context.config.daemon;
  // A minute is between two looks at one certificate in any case; self-tests come as often.
  daemon.check_interval =
      section.duration("check_interval", seconds(1), hours(24), "from 1s to 24h")
          .value_or(daemon.check_interval);
  daemon.deep_check_interval =
      section.duration("deep_check_interval", seconds(1), hours(24 * 30), "from 1s to 30d")
          .value_or(daemon.deep_check_interval);
  // Each is an order at a staging CA, which has limits, too.
  daemon.rehearse_interval = section
                                 .duration("rehearse_interval", std::chrono::minutes(10),
                                           hours(24 * 30), "from 10m to 30d")
                                 .value_or(daemon.rehearse_interval);
  daemon.orders_parallel =
      section.number("orders_parallel", 1, 64).value_or(daemon.orders_parallel);
  // The newest and the one before it, which is what a rollback goes to.
  daemon.keep_generations =
      section.number("keep_generations", 2, 1000).value_or(daemon.keep_generations);
  daemon.keep_events =
      section.duration("keep_events", hours(24), hours(24 * 3650), "from 1d to 3650d")
          .value_or(daemon.keep_events);
  if (const auto listen = section.text("status_listen")) {
    const auto place = parse_host_port(*listen);
    if (place && place->is_address) {
      daemon.status_listen = place->text();
    } else {
      section.problem("status_listen", "\"" + *listen + "\" is no ADDRESS:PORT to listen on",
                      "write \"127.0.0.1:9180\"");
    }
  }
  section.refuse_unknown_keys();
}

}  // namespace nolapse
