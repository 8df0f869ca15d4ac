#include "agent/core/daemon_health.h"

#include <algorithm>

namespace nolapse {
namespace {

// A deep self-test of very many certificates, with a CA that answers late.
constexpr Duration longest_self_test = std::chrono::minutes(10);
constexpr Duration longest_start = std::chrono::seconds(20);
constexpr Duration longest_write = std::chrono::minutes(1);

std::string since(std::chrono::milliseconds moment, const DaemonVitals& vitals) {
  return " for " + acme::format_duration(vitals.now - moment);
}

}  // namespace

std::string ailment_of(const DaemonVitals& vitals, const DaemonConfig& config) {
  if (!vitals.started_at) {
    if (vitals.now - vitals.begun_at < longest_start) return {};  // as at each reload
    return "the daemon waits" + since(vitals.begun_at, vitals) +
           ": another process holds the state directory";
  }
  const auto beat = vitals.beat_at.value_or(*vitals.started_at);
  if (vitals.now - beat > 2 * config.heartbeat_interval + longest_write) {
    return "no heartbeat was written" + since(beat, vitals) +
           ": a certificate is stuck, or the disk takes nothing; see the log";
  }
  const auto checked = std::max(vitals.checked_at.value_or(*vitals.started_at), *vitals.started_at);
  if (config.self_tests && vitals.now - checked > 2 * config.check_interval + longest_self_test) {
    return "no self-test has ended" + since(checked, vitals) + "; see the log";
  }
  return {};
}

}  // namespace nolapse
