#include "agent/core/daemon_health.h"

#include <doctest/doctest.h>

using namespace nolapse;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("a daemon that misses heartbeats or self-tests is ill, one that just began is not") {
  struct Row {
    seconds now;
    std::optional<seconds> started, beat, checked;
    const char* ailment;  // how it begins; empty: none
  };
  const DaemonConfig config;  // a heartbeat each five minutes, a self-test each hour
  for (const Row& row : {
           Row{seconds(5), {}, {}, {}, ""},
           Row{seconds(21), {}, {}, {}, "the daemon waits for 21s: another process holds"},
           Row{seconds(30), seconds(29), {}, {}, ""},
           Row{minutes(11), seconds(1), minutes(10), {}, ""},
           Row{minutes(16), minutes(5), minutes(5), {}, ""},
           Row{minutes(17), minutes(5), minutes(5), {}, "no heartbeat was written for 12m"},
           Row{minutes(17), minutes(5), {}, {}, "no heartbeat was written for 12m"},
           Row{minutes(130), minutes(1), minutes(129), {}, ""},
           Row{minutes(132), minutes(1), minutes(131), {}, "no self-test has ended for 2h"},
           Row{minutes(500), minutes(1), minutes(499), minutes(400), ""},
           Row{minutes(500), minutes(1), minutes(499), minutes(300), "no self-test has ended for"},
       }) {
    CAPTURE(row.now.count());
    const std::string ailment =
        ailment_of({row.now, seconds(0), row.started, row.beat, row.checked}, config);
    CHECK(ailment.starts_with(row.ailment));
    CHECK(ailment.empty() == std::string(row.ailment).empty());
  }
}

TEST_CASE("where no self-tests are run nobody waits for one") {
  DaemonConfig config;
  config.self_tests = false;
  CHECK(ailment_of({minutes(500), seconds(0), minutes(1), minutes(499), {}}, config).empty());
}
