// What [daemon] may say, what an operator reads when it is wrong, and what is no key of it.
#include <doctest/doctest.h>

#include "tests/agent/core/config_fixture.h"

namespace nolapse {
namespace {

const std::string daemon = "[daemon]\n";

TEST_CASE("every key of [daemon] has its value") {
  const DaemonConfig config =
      config_of(daemon +
                "check_interval = \"15m\"\norders_parallel = 3\nkeep_generations = 2\n"
                "keep_events = \"30d\"\ndeep_check_interval = \"12h\"\n"
                "rehearse_interval = \"2d\"\nstatus_listen = \"[::1]:9180\"\n")
          .daemon;
  CHECK(config.check_interval == std::chrono::minutes(15));
  CHECK(config.deep_check_interval == std::chrono::hours(12));
  CHECK(config.rehearse_interval == std::chrono::days(2));
  CHECK(config.orders_parallel == 3);
  CHECK(config.keep_generations == 2);
  CHECK(config.keep_events == std::chrono::days(30));
  CHECK(config.status_listen == "[::1]:9180");
}

TEST_CASE("without [daemon], or with an empty one, each key has its default") {
  for (const std::string& text : {std::string(), daemon}) {
    CAPTURE(text);
    const DaemonConfig config = config_of(text).daemon;
    CHECK(config.check_interval == std::chrono::hours(1));
    CHECK(config.deep_check_interval == std::chrono::hours(24));
    CHECK(config.rehearse_interval == std::chrono::days(7));
    CHECK(config.orders_parallel == 16);
    CHECK(config.keep_generations == 5);
    CHECK(config.keep_events == std::chrono::days(400));
    CHECK(config.status_listen.empty());
  }
}

TEST_CASE("the numbers of [daemon] have limits, and both ends are within them") {
  const std::string orders = "; write a number from 1 to 64, without quotes";
  const std::string generations = "; write a number from 2 to 1000, without quotes";
  check_cases({
      {daemon + "orders_parallel = 1\nkeep_generations = 2", {}},
      {daemon + "orders_parallel = 64\nkeep_generations = 1000", {}},
      {daemon + "orders_parallel = 0", {":2: daemon.orders_parallel: 0 is too small" + orders}},
      {daemon + "orders_parallel = 65", {":2: daemon.orders_parallel: 65 is too large" + orders}},
      {daemon + "orders_parallel = -1", {":2: daemon.orders_parallel: -1 is too small" + orders}},
      {daemon + "orders_parallel = 9223372036854775807",
       {":2: daemon.orders_parallel: 9223372036854775807 is too large" + orders}},
      {daemon + "orders_parallel = \"16\"",
       {":2: daemon.orders_parallel: is a string, but must be a number" + orders}},
      {daemon + "orders_parallel = 1.5",
       {":2: daemon.orders_parallel: is a number with a fraction, but must be a number" + orders}},
      {daemon + "keep_generations = 1",
       {":2: daemon.keep_generations: 1 is too small" + generations}},
      {daemon + "keep_generations = 1001",
       {":2: daemon.keep_generations: 1001 is too large" + generations}},
  });
}

TEST_CASE("the durations of [daemon] have limits, and both ends are within them") {
  const std::string check = "; write a duration from 1s to 24h";
  const std::string keep = "; write a duration from 1d to 3650d";
  const std::string rare = "; write a duration from 10m to 30d";
  const std::string form =
      "; write one number and one unit, such as \"90s\", \"15m\", \"12h\" or \"30d\"";
  check_cases({
      {daemon + "check_interval = \"1s\"\nkeep_events = \"1d\"", {}},
      {daemon + "check_interval = \"24h\"\nkeep_events = \"3650d\"", {}},
      {daemon + "check_interval = \"0s\"",
       {":2: daemon.check_interval: \"0s\" is too short" + check}},
      {daemon + "deep_check_interval = \"31d\"",
       {":2: daemon.deep_check_interval: \"31d\" is too long; write a duration from 1s to 30d"}},
      {daemon + "check_interval = \"25h\"",
       {":2: daemon.check_interval: \"25h\" is too long" + check}},
      {daemon + "deep_check_interval = \"1s\"\nrehearse_interval = \"10m\"", {}},
      {daemon + "deep_check_interval = \"30d\"\nrehearse_interval = \"30d\"", {}},
      {daemon + "rehearse_interval = \"9m\"",
       {":2: daemon.rehearse_interval: \"9m\" is too short" + rare}},
      {daemon + "rehearse_interval = \"31d\"",
       {":2: daemon.rehearse_interval: \"31d\" is too long" + rare}},
      {daemon + "check_interval = 3600",
       {":2: daemon.check_interval: is a number, but must be a duration in quotes" + form}},
      {daemon + "check_interval = \"hourly\"",
       {":2: daemon.check_interval: \"hourly\" is no duration" + form}},
      {daemon + "keep_events = \"23h\"", {":2: daemon.keep_events: \"23h\" is too short" + keep}},
      {daemon + "keep_events = \"3651d\"",
       {":2: daemon.keep_events: \"3651d\" is too long" + keep}},
  });
}

TEST_CASE("an unknown key of [daemon] is an error of that key alone") {
  check_cases({
      {daemon + "status_listen = \"localhost:9180\"\ncheck_interval = \"1h\"\n",
       {":2: daemon.status_listen: \"localhost:9180\" is no ADDRESS:PORT to listen on; write "
        "\"127.0.0.1:9180\""}},
      {daemon + "check_intervall = \"1h\"",
       {":2: daemon.check_intervall: unknown key; did you mean \"check_interval\"?"}},
      {"[deamon]\n", {":1: deamon: unknown key; did you mean \"daemon\"?"}},
      {"[[daemon]]\n", {":1: daemon: must be a table; write [daemon], and its settings below it"}},
  });
}

TEST_CASE("[daemon] stands in the main file only") {
  ConfigFiles files;
  files.add(main_file, daemon + "orders_parallel = 2");
  files.add("/etc/nolapse/conf.d/a.toml", daemon + "orders_parallel = 0");
  CHECK(problems_in(files) ==
        std::vector<std::string>{
            "/etc/nolapse/conf.d/a.toml:1: daemon: is a global setting, and this is an included "
            "file; move it to /etc/nolapse/nolapse.toml"});
}

}  // namespace
}  // namespace nolapse
