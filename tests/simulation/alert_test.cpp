// Alerts over the faults of their channels and of this host: whatever is down, everybody hears of
// what is open at last, nobody hears that it is over before it is, and somebody else is told that
// all is well only while that is true.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

class Scene : public DaemonScene {
 public:
  explicit Scene(std::uint64_t seed) : DaemonScene(seed) {
    shop.config.daemon.self_tests = true;
    shop.config.daemon.check_interval = 1h;
    shop.config.alerts.heartbeat_url = "https://hc.test/ping";
    shop.world.files.put("/etc/nolapse/nolapse.toml", "", 0644);
    shop.world.files.put("/bin/sh", "", 0755);  // the hook's interpreter
    shop.config.files = {"/etc/nolapse/nolapse.toml"};
    for (const char* name : {"one", "another"}) add_channel(name);
  }
  void add_channel(const std::string& name) {
    AlertChannel channel{name, "email"};
    channel.settings["smtp"] = server_of(name);
    channel.to = {"ops@shop.test"};
    shop.config.alerts.channels.push_back(std::move(channel));
  }
  static std::string server_of(const std::string& name) { return "smtp://" + name + ".test:587"; }
  // Files that nobody puts there: an alert each.
  void watch_nothing(int count) {
    for (int i = 0; i < count; ++i) {
      WatchSpec watch;
      watch.name = "watch" + std::to_string(i);
      watch.files = {"/nowhere/" + std::to_string(i) + ".pem"};
      shop.config.watches.push_back(std::move(watch));
    }
  }
  void break_channel(const std::string& name) {
    shop.world.mail.refuses_at[server_of(name)] = "421 closing";
  }
  void repair_channel(const std::string& name) {
    shop.world.mail.refuses_at.erase(server_of(name));
  }
  int mails_to(const std::string& channel, const std::string& text) const {
    const auto& taken = shop.world.mail.taken;
    return static_cast<int>(std::count_if(taken.begin(), taken.end(), [&](const MailMessage& mail) {
      return mail.server == server_of(channel) && mail.content.find(text) != std::string::npos;
    }));
  }
  std::size_t pings() const {
    const auto& all = shop.world.http.exchanges();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& each) {
      return each.request.find("hc.test") != std::string::npos;
    }));
  }
  AlertState alerts() const {
    const auto state = Store(Shop::state, shop.world.files).load_alerts();
    REQUIRE(state);
    return *state;
  }
};

constexpr const char* down = "WARNING ENDPOINT_UNREACHABLE";

}  // namespace

TEST_CASE("told is who took it; one channel that works is enough for the heartbeat") {
  Scene scene(501);
  REQUIRE(scene.start());
  scene.run_for(24h);
  CHECK(scene.pings() > 20);
  scene.break_channel("one");
  scene.shop.nginx.unreachable = true;
  scene.run_for(3h);
  const std::size_t before = scene.pings();
  scene.run_for(3h);
  CHECK(scene.pings() >= before + 2);
  CHECK(scene.mails_to("another", down) == 1);
  CHECK(scene.mails_to("one", down) == 0);
  for (const Alert& alert : scene.alerts().open) {
    CHECK(alert.told.contains("another"));
    CHECK_FALSE(alert.told.contains("one"));
  }
  scene.repair_channel("one");
  scene.run_for(2h);
  CHECK(scene.mails_to("one", down) == 1);
  scene.shop.nginx.unreachable = false;
  scene.run_for(3h);
  CHECK(scene.mails_to("one", "RESOLVED ENDPOINT_UNREACHABLE") == 1);
  CHECK(scene.mails_to("another", "RESOLVED ENDPOINT_UNREACHABLE") == 1);
  CHECK(scene.alerts().open.empty());
}

TEST_CASE("nobody hears that all is well while nobody can be told, or there is nobody") {
  for (const bool no_channels : {false, true}) {
    Scene scene(502);
    if (no_channels) scene.shop.config.alerts.channels.clear();
    REQUIRE(scene.start());
    scene.run_for(24h);
    scene.break_channel("one");
    scene.break_channel("another");
    scene.shop.nginx.unreachable = true;
    scene.run_for(2h);
    const std::size_t before = scene.pings();
    CHECK((before > 0) == !no_channels);
    scene.run_for(24h);
    CHECK(scene.pings() == before);
    if (no_channels) continue;
    scene.repair_channel("another");
    scene.run_for(2h);
    CHECK(scene.pings() > before);
  }
}

TEST_CASE("a channel with a new name hears of all that is open, and nobody else again") {
  Scene scene(503);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.nginx.unreachable = true;
  scene.run_for(3h);
  REQUIRE(scene.mails_to("one", down) == 1);
  scene.kill();
  scene.shop.config.alerts.channels.erase(scene.shop.config.alerts.channels.begin());
  scene.add_channel("third");
  REQUIRE(scene.start());
  scene.run_for(3h);
  CHECK(scene.mails_to("third", down) == 1);
  CHECK(scene.mails_to("another", down) == 1);
}

TEST_CASE("more alerts than a queue holds: each is told to each, and the end of each") {
  constexpr int count = static_cast<int>(longest_queue) + 200;
  Scene scene(504);
  scene.shop.config.alerts.repeat = 24h * 7;
  scene.watch_nothing(count);
  scene.break_channel("one");
  REQUIRE(scene.start());
  scene.run_for(6h);
  CHECK(scene.count("ALERT_QUEUE_FULL") == 2);  // once for each channel
  scene.repair_channel("one");
  scene.run_for(6h);
  for (int i = 0; i < count; ++i) {
    CAPTURE(i);
    const std::string news = "ERROR WATCHED_FILE_MISSING watch" + std::to_string(i) + ":";
    CHECK(scene.mails_to("one", news) == 1);
    CHECK(scene.mails_to("another", news) == 1);
  }
  CHECK(scene.alerts().queue.empty());
}

TEST_CASE("a crash at any moment around a delivery: told at least once, and told in the end") {
  for (int moment = 0; moment < 40; ++moment) {
    CAPTURE(moment);
    Scene scene(505);
    REQUIRE(scene.start());
    scene.run_for(24h);
    scene.shop.nginx.unreachable = true;
    REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 3h));
    scene.run_for(moment * 5ms);
    scene.daemon.reset();
    scene.shop.world.crash();
    REQUIRE(scene.start());
    scene.run_for(3h);
    for (const char* channel : {"one", "another"}) {
      CHECK(scene.mails_to(channel, down) >= 1);
      CHECK(scene.mails_to(channel, down) <= 2);
    }
    for (const Alert& alert : scene.alerts().open) {
      CHECK(alert.told.contains("one"));
      CHECK(alert.told.contains("another"));
    }
  }
}
