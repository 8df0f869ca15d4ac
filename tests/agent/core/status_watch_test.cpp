// The status page must not knock on the servers it tells of: how often and how many at a time the
// certificates are looked at, whoever asks.
#include "agent/core/status_watch.h"

#include <doctest/doctest.h>

#include "tests/support/fake_world.h"

using namespace nolapse;
using namespace std::chrono_literals;

namespace {

// Nobody answers, after a while.
class CountingProbe final : public TlsProbe {
 public:
  CountingProbe(FakeClock& clock, Duration wait) : clock_(clock), wait_(wait) {}
  void probe(ProbeRequest, std::function<void(ProbeReply)> done) override {
    ++all;
    most_at_once = std::max(most_at_once, ++under_way_);
    clock_.start_timer(wait_, [this, done = std::move(done)] {
      --under_way_;
      done({});
    });
  }
  int all = 0;
  int most_at_once = 0;

 private:
  FakeClock& clock_;
  Duration wait_;
  int under_way_ = 0;
};

struct Bench {
  explicit Bench(int certificates, Duration wait = 100ms) : probe(world.clock, wait) {
    config.state_directory = "/state";
    config.cas.emplace_back().name = "ca";
    for (int i = 0; i < certificates; ++i) {
      CertificateSpec spec;
      spec.name = "shop-" + std::to_string(i);
      spec.cas = {"ca"};
      spec.domains = {{"dns", "shop.test"}};
      spec.endpoints = {{"192.0.2.1:443", "192.0.2.1", 443, "shop.test"}};
      config.certificates.push_back(spec);
    }
    open();
  }
  void open() {
    const World w = world.world();
    store.emplace(config.state_directory, world.files);
    watch.emplace(World{w.clock, w.http, probe, w.dns, w.files, w.processes, w.key_maker,
                        w.http_responder, w.tls_alpn_responder, w.random, w.mail},
                  config, *store, events);
  }
  void tell(const char* code, const char* name) {
    events.emit(Severity::info, name, code, "something happened");
  }

  FakeWorld world{1};
  CountingProbe probe;
  Config config;
  EventStream events{world.clock};
  std::optional<Store> store;
  std::optional<StatusWatch> watch;
};

}  // namespace

TEST_CASE("a round looks at each once, a few at a time, and says of when it is") {
  Bench bench(40);
  const Time begun = bench.world.clock.now();
  bench.watch->start();
  CHECK_FALSE(bench.watch->as_of());
  bench.world.clock.run_for(10s);
  CHECK(bench.probe.all == 40);
  CHECK(bench.probe.most_at_once == StatusWatch::most_at_once);
  CHECK(bench.watch->as_of() == begun);
  const auto known = bench.watch->certificates();
  REQUIRE(known.size() == 40);
  CHECK(known[7]->status.name == "shop-7");
  CHECK(known[7]->status.serving == Serving::unreachable);
}

TEST_CASE("however often somebody looks, there is a round a minute, and none when nobody does") {
  Bench bench(3);
  bench.watch->start();
  for (int i = 0; i < 59; ++i) {
    bench.watch->somebody_looks();
    bench.world.clock.run_for(1s);
  }
  CHECK(bench.probe.all == 3);
  bench.world.clock.run_for(1s);
  for (int i = 0; i < 10; ++i) bench.watch->somebody_looks();
  bench.world.clock.run_for(1s);
  CHECK(bench.probe.all == 6);
  bench.world.clock.run_for(std::chrono::hours(24));
  CHECK(bench.probe.all == 6);
}

TEST_CASE("rounds that take long are as rare as that they take a twentieth of the time") {
  Bench bench(32, 5s);
  bench.watch->start();
  bench.world.clock.run_for(11s);
  REQUIRE(bench.watch->as_of());
  for (int i = 0; i < 180; ++i) {
    bench.watch->somebody_looks();
    bench.world.clock.run_for(1s);
  }
  CHECK(bench.probe.all == 32);
  bench.world.clock.run_for(20s);
  bench.watch->somebody_looks();
  bench.world.clock.run_for(11s);
  CHECK(bench.probe.all == 64);
}

TEST_CASE("what something happened to is looked at soon, once for several events") {
  Bench bench(3);
  bench.tell("ISSUED", "shop-1");  // nobody has started yet
  bench.watch->start();
  bench.world.clock.run_for(10s);
  CHECK(bench.probe.all == 3);
  bench.tell("ISSUED", "shop-1");
  bench.tell("DEPLOYED", "shop-1");
  bench.tell("CALL", "shop-2");
  bench.tell("UNKNOWN", "not-there");
  bench.tell("CONFIG_TAKEN_UP", "");
  bench.world.clock.run_for(10s);
  CHECK(bench.probe.all == 4);
  bench.watch->stop();
  bench.tell("ISSUED", "shop-1");
  bench.world.clock.run_for(10s);
  CHECK(bench.probe.all == 4);
}

TEST_CASE("what somebody else renews is looked at in the same rounds") {
  Bench bench(2);
  bench.config.watches = {{"theirs", {{"192.0.2.9:443", "192.0.2.9", 443, "theirs"}}, {}, {}}};
  bench.open();
  bench.watch->start();
  bench.world.clock.run_for(10s);
  CHECK(bench.probe.all == 3);
  REQUIRE(bench.watch->as_of());
  REQUIRE(bench.watch->watched().size() == 1);
  CHECK(bench.watch->watched()[0]->at(0).watch == "theirs");
  CHECK(bench.watch->certificates().size() == 2);
}

TEST_CASE("without certificates there is nothing to wait for") {
  Bench bench(0);
  bench.watch->start();
  CHECK(bench.watch->as_of());
  CHECK(bench.watch->certificates().empty());
}
