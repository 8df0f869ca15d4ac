#include "agent/core/heartbeat.h"

#include "agent/core/daemon_health.h"

namespace nolapse {
namespace {

constexpr Duration clock_tolerance = std::chrono::minutes(5);

}  // namespace

Heartbeat judge_heartbeat(const Result<std::string>& text, const std::string& path, Time now) {
  using State = Heartbeat::State;
  if (!text && text.error().code != "FILE_MISSING") {
    return {State::unknown, "nobody knows whether the daemon runs", text.error().message};
  }
  if (!text) {
    return {State::never, "no daemon has ever run here, so nobody renews anything by itself",
            text.error().message};
  }
  const auto beat = acme::parse_rfc3339(text->substr(0, text->find('\n')));
  if (!beat) return {State::silent, "the heartbeat cannot be read", path};
  const std::string evidence = path + " says " + acme::format_rfc3339(*beat);
  if (now - *beat > oldest_heartbeat) {
    return {State::silent,
            "the daemon does not run: no heartbeat for " + acme::format_duration(now - *beat),
            evidence};
  }
  if (*beat - now > clock_tolerance) {
    return {State::silent, "the heartbeat is in the future: the clock was set back", evidence};
  }
  return {};
}

}  // namespace nolapse
