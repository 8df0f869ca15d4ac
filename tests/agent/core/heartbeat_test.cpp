// Who renews here by himself: a daemon by its heartbeat, or where there never was one, a timer by
// the runs that ended.
#include "agent/core/heartbeat.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

const Time now = *acme::parse_rfc3339("2026-11-23T09:00:00Z");
const std::string state = "/state";

std::string run_at(const char* time) {
  return write_renewed_document(*acme::parse_rfc3339(time));
}

// With these contents; empty: there is no such file.
Heartbeat judged(const std::string& heartbeat, const std::string& renewed) {
  FakeWorld world{1};
  if (!heartbeat.empty()) world.files.put(state + "/heartbeat", heartbeat);
  if (!renewed.empty()) world.files.put(state + "/renewed.json", renewed);
  return read_heartbeat(world.files, state, now);
}

}  // namespace

TEST_CASE("what a heartbeat says, by its age") {
  using enum Heartbeat::State;
  CHECK(judged("2026-11-23T08:41:00Z\n", "").state == beating);
  CHECK(judged("2026-11-23T08:39:00Z\n", "").state == silent);
  CHECK(judged("2026-11-23T09:06:00Z\n", "").state == silent);
  CHECK(judged("garbage", "").state == silent);
  CHECK(judged("", "").state == never);
}

TEST_CASE("where no daemon ever ran, a run for all that ended within two days is as good") {
  using enum Heartbeat::State;
  CHECK(judged("", run_at("2026-11-23T08:59:00Z")).state == renewed);
  CHECK(judged("", run_at("2026-11-21T09:00:00Z")).state == renewed);
  CHECK(judged("", run_at("2026-11-21T08:59:59Z")).state == never);
  CHECK(judged("", run_at("2026-11-23T09:06:00Z")).state == never);
  CHECK(judged("", "{}").state == never);
  CHECK(judged("", "garbage").state == never);
  const Heartbeat old = judged("", run_at("2026-11-20T09:00:00Z"));
  CHECK_FALSE(old.is_evidence());
  CHECK(old.summary ==
        "no daemon has ever run here, and the last `nolapse renew` of all certificates ended 3d "
        "ago");
  CHECK(old.evidence == "/state/renewed.json says 2026-11-20T09:00:00Z");
}

TEST_CASE("a run by hand does not stand in for a daemon that died") {
  using enum Heartbeat::State;
  const Heartbeat dead = judged("2026-11-22T09:00:00Z\n", run_at("2026-11-23T08:59:00Z"));
  CHECK(dead.state == silent);
  CHECK(dead.fix.find("rm /state/heartbeat") != std::string::npos);
  CHECK(judged("garbage", run_at("2026-11-23T08:59:00Z")).state == silent);
}

TEST_CASE("who may not look knows nothing") {
  for (const char* file : {"/heartbeat", "/renewed.json"}) {
    FakeWorld world{1};
    world.files.put(state + "/renewed.json", run_at("2026-11-23T08:59:00Z"));
    world.files.put(state + file, "2026-11-23T08:59:00Z\n");
    world.files.set_unreadable(state + file, true);
    CHECK((read_heartbeat(world.files, state, now).state == Heartbeat::State::unknown));
  }
}
