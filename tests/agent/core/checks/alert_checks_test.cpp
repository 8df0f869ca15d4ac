// Can anybody be told? Of two channels that lead to one place, and of those nobody has seen
// deliver.
#include <doctest/doctest.h>

#include "tests/agent/core/checks/check_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

struct Scene : CheckScene {
  Scene() { world.files.put_directory(config.state_directory); }
  AlertChannel& add(const std::string& name, const std::string& type, Settings settings,
                    std::vector<std::string> to = {}) {
    AlertChannel channel;
    channel.name = name;
    channel.type = type;
    channel.settings = std::move(settings);
    channel.to = std::move(to);
    config.alerts.channels.push_back(std::move(channel));
    return config.alerts.channels.back();
  }
  void record(const std::string& name, ChannelRecord channel) {
    state.channels[name] = std::move(channel);
    bool saved = false;
    world.files.run(store().save_alerts(state), [&](const Result<void>& done) {
      saved = true;
      CHECK(done);
    });
    REQUIRE(world.clock.run_until([&] { return saved; }));
  }
  void delivered(const std::string& name, Duration ago) {
    ChannelRecord channel;
    channel.delivered_at = world.clock.now() - ago;
    record(name, channel);
  }
  std::vector<Finding> found(const char* code) {
    auto all = check(alert_checks(), false);
    std::erase_if(all, [&](const Finding& each) { return each.code != code; });
    return all;
  }

  AlertState state;
};

}  // namespace

TEST_CASE("two channels of one type that lead to one place are one") {
  struct Row {
    const char* what;
    const char* type;
    Settings first;
    Settings second;
    bool one;
  };
  const Row rows[] = {
      {"one address",
       "webhook",
       {{"url", "https://x.test/a"}},
       {{"url", "https://x.test/a"}},
       true},
      {"a token more",
       "webhook",
       {{"url", "https://x.test/a"}},
       {{"url", "https://x.test/a"}, {"token_file", "/secret"}},
       true},
      {"two", "webhook", {{"url", "https://x.test/a"}}, {{"url", "https://y.test/a"}}, false},
      {"one program", "exec", {{"program", "/bin/true"}}, {{"program", "/bin/true"}}, true},
      {"two programs", "exec", {{"program", "/bin/true"}}, {{"program", "/bin/tell"}}, false},
      {"one secret address, twice", "slack", {{"url_file", "/a"}}, {{"url_file", "/same"}}, true},
      {"two secret addresses", "slack", {{"url_file", "/a"}}, {{"url_file", "/b"}}, false},
      {"a file that cannot be read", "slack", {{"url_file", "/a"}}, {{"url_file", "/gone"}}, false},
      {"one log", "syslog", {{"facility", "mail"}}, {}, true},
      {"two keys of a pager",
       "pagerduty",
       {{"routing_key_file", "/a"}},
       {{"routing_key_file", "/b"}},
       false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Scene scene;
    scene.world.files.put("/a", "https://hooks.test/1\n");
    scene.world.files.put("/same", "https://hooks.test/1");
    scene.world.files.put("/b", "https://hooks.test/2\n");
    scene.add("first", row.type, row.first);
    scene.add("second", row.type, row.second);
    const auto found = scene.found("ALERT_CHANNELS_FEW");
    CHECK(found.size() == (row.one ? 1 : 0));
    if (!found.empty()) has(found.front().summary, "first and second");
  }
  Scene scene;
  scene.add("ops", "email", {{"smtp", "smtp://m.test:587"}}, {"a@x.test", "b@x.test"});
  scene.add("again", "email", {{"smtp", "smtp://m.test:587"}, {"from", "me@x.test"}},
            {"b@x.test", "a@x.test"});
  CHECK(scene.found("ALERT_CHANNELS_FEW").size() == 1);
  scene.add("others", "email", {{"smtp", "smtp://m.test:587"}}, {"c@x.test"});
  CHECK(scene.found("ALERT_CHANNELS_FEW").empty());
}

TEST_CASE("a channel that has delivered nothing, or not for more than a month, is unknown") {
  Scene scene;
  scene.add("mail", "exec", {{"program", "/bin/mail"}});
  scene.add("pager", "exec", {{"program", "/bin/pager"}});
  const Lines never{"ALERT_CHANNEL_FAILING unknown  [channel pager]"};
  const auto lines = [&] { return CheckScene::brief(scene.found("ALERT_CHANNEL_FAILING")); };
  scene.delivered("mail", 34 * 24h);
  CHECK(lines() == never);
  has(only(scene.found("ALERT_CHANNEL_FAILING")).summary, "nothing yet");
  scene.delivered("pager", 36 * 24h);
  CHECK(lines() == never);
  has(only(scene.found("ALERT_CHANNEL_FAILING")).evidence, "delivered last on");
  scene.delivered("pager", -2h);  // by a clock that was wrong
  CHECK(lines() == never);
  scene.delivered("pager", 1h);
  CHECK(lines() == Lines{});
}

TEST_CASE("a daemon that has just begun is given the time that its first messages take") {
  Scene scene;
  scene.add("mail", "exec", {{"program", "/bin/mail"}});
  DaemonView daemon;
  daemon.since = scene.world.clock.now() - 14min;
  const auto count = [&] { return scene.check(alert_checks(), false, {}, daemon).size(); };
  CHECK(count() == 1);  // there is one channel only
  daemon.since = scene.world.clock.now() - 16min;
  CHECK(count() == 2);
}

TEST_CASE("a channel that fails is an error, and what it delivered before does not help") {
  Scene scene;
  scene.add("pager", "exec", {{"program", "/bin/pager"}});
  ChannelRecord refused;
  refused.failures = 3;
  refused.error = "401";
  refused.delivered_at = scene.world.clock.now() - 1h;
  scene.record("pager", refused);
  scene.record("removed", refused);  // is in the configuration no more
  CHECK(CheckScene::brief(scene.found("ALERT_CHANNEL_FAILING")) ==
        Lines{"ALERT_CHANNEL_FAILING error  [channel pager]"});
}
