// The daemon's self-tests, left alone in the shop's world: a fault is told of within a cycle, once,
// and so is its end; a healthy shop is told nothing for months.
#include <doctest/doctest.h>

#include <algorithm>

#include "agent/core/config_on_disk.h"
#include "tests/simulation/daemon_scene.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

class Scene : public DaemonScene {
 public:
  explicit Scene(std::uint64_t seed) : DaemonScene(seed) {
    shop.config.daemon.self_tests = true;
    shop.config.daemon.check_interval = 1h;
    shop.world.files.put("/etc/nolapse/nolapse.toml", "", 0644);
    shop.world.files.put("/bin/sh", "", 0755);  // the hook's interpreter
    shop.config.files = {"/etc/nolapse/nolapse.toml"};
    for (const char* name : {"one", "another"}) {
      AlertChannel channel{name, "email"};
      channel.settings["smtp"] = "smtp://mail.test:587";
      channel.to = {std::string(name) + "@shop.test"};
      shop.config.alerts.channels.push_back(std::move(channel));
    }
  }
  int mails_with(const std::string& text) const {
    const auto& taken = shop.world.mail.taken;
    return static_cast<int>(std::count_if(taken.begin(), taken.end(), [&](const MailMessage& mail) {
      return mail.content.find(text) != std::string::npos;
    }));
  }
  int findings() const {
    const auto saved = Store(Shop::state, shop.world.files).load_findings();
    return saved ? static_cast<int>(saved->findings.size()) : -1;
  }
  std::vector<std::string> codes() const {
    std::vector<std::string> list;
    const auto saved = Store(Shop::state, shop.world.files).load_findings();
    if (!saved) return {"UNREADABLE"};
    for (const Finding& finding : saved->findings) list.push_back(finding.code);
    return list;
  }
};

// Counts what is read, path by path.
class CountingFiles final : public Files {
 public:
  explicit CountingFiles(Files& files) : files_(files) {}

  void run(std::vector<FileOperation> work, Completion<void> done) override {
    files_.run(std::move(work), std::move(done));
  }
  Result<std::string> read(const std::string& path) const override {
    ++reads[path];
    return files_.read(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) const override {
    return files_.list(path);
  }
  Result<std::string> read_link(const std::string& path) const override {
    return files_.read_link(path);
  }
  Result<FileStatus> status(const std::string& path) const override { return files_.status(path); }
  Result<FileSpace> space(const std::string& path) const override { return files_.space(path); }
  Result<std::unique_ptr<Lock>> lock(const std::string& path, const std::string& holder) override {
    return files_.lock(path, holder);
  }

  std::vector<std::string> read_below(const std::string& folder) const {
    std::vector<std::string> paths;
    for (const auto& [path, count] : reads) {
      if (path.starts_with(folder)) paths.push_back(path.substr(folder.size()));
    }
    return paths;
  }

  mutable std::map<std::string, int> reads;

 private:
  Files& files_;
};

// Self-tests of a shop, one after the other, with one memory.
class SelfTests {
 public:
  explicit SelfTests(Shop& shop)
      : shop_(shop), files_(shop.world.files), store_(Shop::state, files_), on_disk_(disk()) {}

  std::vector<std::string> codes() {
    files_.reads.clear();
    CheckContext context{world(), shop_.config, store_, {}, {}, {}};
    context.config_on_disk = on_disk_;
    std::optional<Findings> found;
    SelfTestRequest request;
    request.only_faults = true;
    run_self_test(std::move(context), all_checks(), std::move(request),
                  [&](Findings findings) { found = std::move(findings); });
    REQUIRE(shop_.world.clock.run_until([&] { return found.has_value(); }));
    std::vector<std::string> list;
    for (const Finding& finding : found->all) list.push_back(finding.code);
    return list;
  }
  std::vector<std::string> read_below(const std::string& folder) const {
    return files_.read_below(folder);
  }

 private:
  std::shared_ptr<ConfigOnDisk> disk() const {
    return std::make_shared<ConfigOnDisk>(files_, shop_.config.files.front(), Shop::state);
  }
  World world() {
    const World real = shop_.world.world();
    return {real.clock,
            real.http,
            real.tls_probe,
            real.dns,
            files_,
            real.processes,
            real.key_maker,
            real.http_responder,
            real.tls_alpn_responder,
            real.random,
            real.mail};
  }

  Shop& shop_;
  CountingFiles files_;
  Store store_;
  std::shared_ptr<ConfigOnDisk> on_disk_;
};

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

TEST_CASE("a self-test reads no file of a certificate that has not changed") {
  Scene scene(308);
  Shop& shop = scene.shop;
  shop.renewed();
  shop.world.clock.run_for(24h);
  SelfTests looks(shop);
  const std::string folder = std::string(Shop::state) + "/certificates/shop";
  const auto before = looks.codes();
  CHECK_FALSE(looks.read_below(folder).empty());
  CHECK(looks.codes() == before);
  CHECK(looks.read_below(folder).empty());
  CHECK(looks.read_below("/etc/nolapse").empty());

  // And notices each that has.
  const std::string pair = folder + "/1";
  const std::string key = shop.world.files.text(pair + "/privkey.pem");
  const std::string cert = shop.world.files.text(pair + "/cert.pem");
  shop.world.files.put(pair + "/privkey.pem", "damaged", 0600);
  CHECK(has(looks.codes(), "GENERATION_DAMAGED"));
  shop.world.files.put(pair + "/privkey.pem", key, 0644);
  auto codes = looks.codes();
  CHECK_FALSE(has(codes, "GENERATION_DAMAGED"));
  CHECK(has(codes, "SECRET_EXPOSED"));
  shop.world.files.put(pair + "/privkey.pem", key, 0600);
  shop.world.files.erase(pair + "/cert.pem");
  CHECK(has(looks.codes(), "GENERATION_DAMAGED"));
  shop.world.files.put(pair + "/cert.pem", cert);
  shop.world.files.put(folder + "/schedule.json", "damaged");
  CHECK(has(looks.codes(), "STATE_UNREADABLE"));
  shop.world.files.put("/etc/nolapse/nolapse.toml", "nonsense = 1\n");
  CHECK(has(looks.codes(), "CONFIG_BROKEN"));
}

TEST_CASE("one connection that is closed is told to nobody") {
  Scene scene(300);
  REQUIRE(scene.start());
  scene.run_for(24h);
  for (int i = 0; i < 40; ++i) {
    scene.shop.nginx.closes = 1;
    scene.run_for(47min);
  }
  for (const char* code : {"HANDSHAKE_FAILS", "NOT_SERVED", "SERVED_DIFFERS"}) {
    CAPTURE(code);
    CHECK(scene.count(code) == 0);
  }
  scene.shop.nginx.closes = 1000;
  CHECK(scene.run_until_event("HANDSHAKE_FAILS", 2h));
}

TEST_CASE("a service that is down is told of once, and so is its end") {
  Scene scene(301);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 2h));
  scene.run_for(24h);
  CHECK(scene.count("ENDPOINT_UNREACHABLE") == 1);
  scene.shop.nginx.unreachable = false;
  CHECK(scene.run_until_event("FINDING_RESOLVED", 2h));
}

TEST_CASE("what was found is remembered over a restart and not told again") {
  Scene scene(302);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ENDPOINT_UNREACHABLE", 2h));
  scene.run_for(1min);
  scene.kill();
  REQUIRE(scene.start());
  scene.run_for(12h);
  CHECK(scene.count("ENDPOINT_UNREACHABLE") == 1);
}

TEST_CASE("a disk that is full is told of before a renewal needs it") {
  Scene scene(303);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.files.set_disk_full(true);
  CHECK(scene.run_until_event("DISK_LOW", 2h));
}

TEST_CASE("damaged findings begin anew and are not overwritten") {
  Scene scene(304);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.kill();
  const std::string path = std::string(Shop::state) + "/findings.json";
  scene.shop.world.files.run({RemoveTree{path}, WriteFile{path, "not json", 0644, {}}},
                             [](Result<void>) {});
  scene.shop.world.clock.run_for(1s);
  REQUIRE(scene.start());
  CHECK(scene.count("STATE_UNREADABLE") >= 1);
  scene.run_for(3h);
  CHECK(scene.findings() >= 0);
  CHECK(scene.shop.world.files.read(path + ".unreadable") == "not json");
}

TEST_CASE("an alert is delivered after an outage of the mail server and a power failure") {
  Scene scene(305);
  REQUIRE(scene.start());
  scene.run_for(24h);
  scene.shop.world.mail.refuses = "421 closing";
  scene.shop.nginx.unreachable = true;
  REQUIRE(scene.run_until_event("ALERT_NOT_DELIVERED", 3h));
  scene.run_for(6h);
  CHECK(scene.mails_with("ENDPOINT_UNREACHABLE") == 0);
  CHECK(scene.count("ALERT_NOT_DELIVERED") == 2);  // once for each channel
  scene.daemon.reset();
  scene.shop.world.crash();
  scene.shop.world.mail.refuses.clear();
  REQUIRE(scene.start());
  scene.run_for(3h);
  CHECK(scene.mails_with("WARNING ENDPOINT_UNREACHABLE") >= 2);
  // A channel that failed so long was a finding itself.
  CHECK(scene.mails_with("ALERT_CHANNEL_FAILING") >= 2);
  const int before = scene.mails_with("WARNING ENDPOINT_UNREACHABLE");
  scene.run_for(12h);
  CHECK(scene.mails_with("WARNING ENDPOINT_UNREACHABLE") == before);
  scene.shop.nginx.unreachable = false;
  scene.run_for(3h);
  CHECK(scene.mails_with("RESOLVED ENDPOINT_UNREACHABLE") >= 2);
}

TEST_CASE("a healthy shop is told nothing for months but that its channels work") {
  Scene scene(306);
  scene.shop.config.daemon.check_interval = 6h;
  REQUIRE(scene.start());
  scene.run_for(24h * 120);
  CHECK(scene.issued() >= 2);
  for (const std::string& code : scene.codes()) {
    CAPTURE(code);
    FAIL_CHECK("is found in a healthy shop");
  }
  CHECK(scene.mails_with("ERROR") == 0);
  CHECK(scene.mails_with("WARNING") == 0);
  CHECK(scene.mails_with("this channel works") >= 8);
  CHECK(scene.mails_with("this channel works") <= 10);
}

TEST_CASE("a fault forty days before expiry is told by mail the same day") {
  struct Fault {
    const char* code;
    std::function<void(Shop&)> apply;
  };
  const std::vector<Fault> faults = {
      {"HOOK_MISSING",
       [](Shop& shop) { shop.world.files.run({RemoveTree{"/hooks/nginx"}}, [](Result<void>) {}); }},
      {"ENDPOINT_UNREACHABLE", [](Shop& shop) { shop.nginx.unreachable = true; }},
      {"DISK_LOW", [](Shop& shop) { shop.world.files.set_disk_full(true); }},
      {"CA_UNREACHABLE",
       [](Shop& shop) {
         shop.world.http.route(shop.ca.settings.base_url).fault = FakeHttp::Fault::refused;
       }},
      {"NAME_LOOKUP_FAILED",
       [](Shop& shop) { shop.world.dns.name("shop.test").fault = FakeDns::Fault::server_failure; }},
  };
  for (const Fault& fault : faults) {
    CAPTURE(fault.code);
    Scene scene(307);
    scene.shop.config.daemon.check_interval = 6h;
    REQUIRE(scene.start());
    scene.run_for(1h);
    scene.run_for(scene.remaining() - 40 * 24h);
    const int before = scene.issued();
    fault.apply(scene.shop);
    scene.run_for(24h);
    CHECK(scene.mails_with(fault.code) >= 1);
    CHECK(scene.issued() == before);  // no renewal was needed to find it
  }
}

TEST_CASE("a certificate that nobody needs to look at every hour is not said to be left out") {
  Scene scene(31);
  scene.shop.config.certificates.front().endpoints = std::vector<Endpoint>{};
  REQUIRE(scene.start());
  scene.run_for(24h * 4);
  CHECK(scene.count("CERTIFICATE_NOT_CONSIDERED") == 0);
}
