#include "agent/core/heartbeat.h"

#include "acme/json_read.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/daemon_health.h"
#include "agent/core/state_document.h"
#include "agent/core/store_work.h"

namespace nolapse {
namespace {

using State = Heartbeat::State;

constexpr Duration clock_tolerance = std::chrono::minutes(5);
constexpr const char* start_a_daemon =
    "systemctl enable --now nolapse, or have a timer run `nolapse renew` twice a day";

std::string renewed_path(const std::string& state_directory) {
  return state_directory + "/renewed.json";
}

Heartbeat unknown(const Error& error) {
  return {State::unknown, "nobody knows whether the daemon runs", error.message,
          is_denied(error) ? look_as_owner : "correct what the evidence names"};
}

// Of a daemon that has run here.
Heartbeat judge_beat(const std::string& text, const std::string& path, Time now) {
  const std::string fix =
      "systemctl enable --now nolapse; systemctl status nolapse; journalctl -u nolapse; where a "
      "timer runs `nolapse renew` instead of it from now on: rm " +
      path;
  const auto beat = acme::parse_rfc3339(text.substr(0, text.find('\n')));
  if (!beat) return {State::silent, "the heartbeat cannot be read", path, fix};
  const std::string evidence = path + " says " + acme::format_rfc3339(*beat);
  if (now - *beat > oldest_heartbeat) {
    return {State::silent,
            "the daemon does not run: no heartbeat for " + acme::format_duration(now - *beat),
            evidence, fix};
  }
  if (*beat - now > clock_tolerance) {
    return {State::silent, "the heartbeat is in the future: the clock was set back", evidence, fix};
  }
  return {};
}

// Where none has: a file that says nothing is as good as none.
Heartbeat judge_runs(const Result<std::string>& text, const std::string& path, Time now) {
  const std::string never = "no daemon has ever run here, ";
  const auto at = text ? read_renewed_document(*text) : Result<Time>(fail(text.error()));
  if (!text && is_missing(text.error())) {
    return {State::never, never + "so nobody renews anything by itself", text.error().message,
            start_a_daemon};
  }
  if (!at) {
    return {State::never, never + "and when `nolapse renew` ended last cannot be read",
            located(at.error(), path).message, start_a_daemon};
  }
  const std::string evidence = path + " says " + acme::format_rfc3339(*at);
  if (*at - now > clock_tolerance) {
    return {State::never, never + "and `nolapse renew` ended in the future: the clock was set back",
            evidence, start_a_daemon};
  }
  if (now - *at <= longest_between_runs) return {State::renewed};
  return {State::never,
          never + "and the last `nolapse renew` of all certificates ended " +
              acme::format_duration(now - *at) + " ago",
          evidence, start_a_daemon};
}

}  // namespace

Heartbeat read_heartbeat(const Files& files, const std::string& state_directory, Time now) {
  const std::string path = state_directory + "/heartbeat";
  const auto beat = files.read(path);
  if (beat) return judge_beat(*beat, path, now);
  if (!is_missing(beat.error())) return unknown(beat.error());
  const std::string renewed = renewed_path(state_directory);
  const auto text = files.read(renewed);
  if (!text && !is_missing(text.error())) return unknown(text.error());
  return judge_runs(text, renewed, now);
}

std::string write_renewed_document(Time at) {
  return state_document({{"at", acme::format_rfc3339(at)}});
}

Result<Time> read_renewed_document(std::string_view text) {
  const auto document = open_state_document(text);
  if (!document) return fail(document.error());
  const auto at = acme::time_member(*document, "at");
  if (!at) return fail(ErrorKind::local, "BAD_STATE", "\"at\" is no time");
  return *at;
}

FileWork note_renewed(const std::string& state_directory, Time at) {
  return replace_file(renewed_path(state_directory), write_renewed_document(at), document_mode);
}

}  // namespace nolapse
