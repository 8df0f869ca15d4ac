// Does anybody run nolapse? The heartbeat is written by the work itself and looked at by others;
// inside the daemon each certificate must have been looked at.
#include <algorithm>

#include "agent/core/checks/families.h"
#include "agent/core/heartbeat.h"

namespace nolapse {
namespace {

std::vector<Finding> check_heartbeat(const CheckContext& context, const CheckSubject&) {
  if (context.daemon) return {};  // it is alive: it asks
  Heartbeat heartbeat = read_heartbeat(context.world.files, context.config.state_directory,
                                       context.world.clock.now());
  if (heartbeat.is_evidence()) return {};
  const bool unknown = heartbeat.state == Heartbeat::State::unknown;
  return {{"HEARTBEAT_OLD",
           {},
           {},
           unknown ? FindingSeverity::unknown : FindingSeverity::error,
           std::move(heartbeat.summary),
           std::move(heartbeat.evidence),
           std::move(heartbeat.fix),
           {}}};
}

// A look that takes long, or a loop that leaves one out, shows here and nowhere else.
std::vector<Finding> check_considered(const CheckContext& context, const CheckSubject& subject) {
  if (!context.daemon) return {};
  const DaemonView& daemon = *context.daemon;
  const std::string& name = subject.certificate->name;
  const auto found = daemon.next_looks.find(name);
  const Time due = found == daemon.next_looks.end() ? daemon.since : found->second;
  // A look may wait for a slow name server, a hook, an order.
  const Duration patience =
      std::max<Duration>(3 * context.config.daemon.check_interval, std::chrono::minutes(30));
  const Duration late = context.world.clock.now() - due;
  if (late <= patience) return {};
  return {{"CERTIFICATE_NOT_CONSIDERED",
           {},
           {},
           FindingSeverity::error,
           name + ": the daemon should have looked at it " + acme::format_duration(late) + " ago",
           "its look was due on " + acme::format_rfc3339(due),
           "nolapse renew " + name + ", then systemctl restart nolapse, and report this",
           {}}};
}

struct Unit {
  const char* name;
  const char* link;  // that enables it
};

bool has_file(const Files& files, const std::string& path) {
  return files.status(path).has_value();
}

// Its link to /dev/null wins over the unit's own file, and leaves the link that enables it.
bool is_masked(const Files& files, const std::string& unit) {
  return files.read_link("/etc/systemd/system/" + unit).value_or("") == "/dev/null" ||
         files.read_link("/run/systemd/system/" + unit).value_or("") == "/dev/null";
}

// Only where the units are installed: a container or another init has its own ways.
std::vector<Finding> check_units(const CheckContext& context, const CheckSubject&) {
  static constexpr Unit units[] = {{"nolapse.service", "multi-user.target.wants"},
                                   {"nolapse-watch.timer", "timers.target.wants"}};
  const Files& files = context.world.files;
  std::vector<Finding> findings;
  for (const Unit& unit : units) {
    const std::string name = unit.name;
    const std::string link = std::string(unit.link) + "/" + name;
    const bool installed = has_file(files, "/lib/systemd/system/" + name) ||
                           has_file(files, "/usr/lib/systemd/system/" + name) ||
                           has_file(files, "/etc/systemd/system/" + name);
    const bool enabled = has_file(files, "/etc/systemd/system/" + link) ||
                         has_file(files, "/usr/lib/systemd/system/" + link);
    const bool masked = is_masked(files, name);
    if (!masked && (!installed || enabled)) continue;
    findings.push_back({"UNIT_NOT_ENABLED",
                        {},
                        "unit " + name,
                        FindingSeverity::error,
                        name + (masked ? " is masked, so that nothing starts it"
                                       : " is installed but does not start with this host"),
                        masked ? "it is a link to /dev/null"
                               : "no link in /etc/systemd/system/" + std::string(unit.link),
                        (masked ? "systemctl unmask " + name + " && " : std::string()) +
                            "systemctl enable --now " + name,
                        {}});
  }
  return findings;
}

}  // namespace

CheckFamily scheduler_checks() {
  return {{{"HEARTBEAT_OLD", "the daemon does not run, so nothing is renewed by itself",
            "It was never started, was stopped, or hangs; and where there never was one, no timer "
            "has run `nolapse renew` of all certificates within two days.",
            "systemctl status nolapse; cat STATE_DIR/heartbeat STATE_DIR/renewed.json",
            "systemctl enable --now nolapse, and read journalctl -u nolapse. Where a timer shall "
            "renew instead of the daemon, remove STATE_DIR/heartbeat."},
           {"CERTIFICATE_NOT_CONSIDERED", "the daemon runs but leaves a certificate out",
            "A look at it hangs, or the daemon has lost it.", "journalctl -u nolapse | grep NAME",
            "Restart the daemon (that is safe at any moment), and report this."},
           {"UNIT_NOT_ENABLED", "the service or its watchdog will not start at the next boot",
            "It was installed but never enabled, disabled by hand, or masked.",
            "systemctl is-enabled nolapse.service nolapse-watch.timer",
            "systemctl enable --now nolapse.service nolapse-watch.timer"}},
          {plain_check({"HEARTBEAT_OLD"}, CheckDepth::cheap, CheckScope::host, check_heartbeat),
           plain_check({"CERTIFICATE_NOT_CONSIDERED"}, CheckDepth::cheap, CheckScope::certificate,
                       check_considered),
           plain_check({"UNIT_NOT_ENABLED"}, CheckDepth::cheap, CheckScope::host, check_units)}};
}

}  // namespace nolapse
