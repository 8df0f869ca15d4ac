// A whole fleet in a fake world: CAs, machines with their hooks, certificates, and the daemon,
// which is started again whenever it ended. What happens is told to a watcher; what the fleet knows
// of each certificate comes from outside of the daemon: from the state directory and the services.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/daemon.h"
#include "tests/simulation/health.h"
#include "tests/simulation/host.h"
#include "tests/simulation/scenario.h"
#include "tests/simulation/trace.h"

namespace nolapse {

// One certificate of the configuration, as seen from outside.
struct Kept {
  std::size_t index = 0;
  const CertificateSpec* spec = nullptr;
  std::vector<const Host::Site*> sites;
  std::vector<std::string> parts;  // of the world's health that its renewal needs beside a CA
  unsigned generation = 0;         // the newest in the state directory
  std::optional<Leaf> issued;      // its leaf
  Time since{};                    // when it was seen there first
  std::size_t own_names = 0;       // the first of its names; one behind them is another's, too
  bool one_name_gone = false;      // for good; it is renewed without, when little is left
  bool hopeless = false;           // its names are gone for longer than it lasts
  std::optional<Time> revoked;     // the newest, by its CA

  // The first instant at which one of its sites has no valid certificate to show; nothing: now.
  std::optional<Time> served_until() const;
  bool served_as_issued() const;
};

class FleetWatcher {
 public:
  virtual ~FleetWatcher() = default;
  virtual void on_event(const Event& event, const Kept* about) = 0;
  virtual void on_served(const Host& host, const Host::Site& site,
                         const std::optional<Leaf>& before) = 0;
  virtual void on_issued(const Kept& kept) = 0;
  virtual void on_death() = 0;  // of the daemon; what it left is as the next one finds it
};

class Fleet {
 public:
  static constexpr const char* state = "/var/lib/nolapse";
  static constexpr const char* webroot = "/var/www";
  static constexpr std::size_t orders_in_three_hours = 600;  // what the CAs allow an account

  explicit Fleet(const Scenario& scenario);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  void watch(FleetWatcher& watcher) { watcher_ = &watcher; }

  // The daemon's process. Never from inside one of its own functions.
  enum class Death { kill, power_failure };
  void start_process();
  void die(Death death, Duration down);
  void restart_in_order(Duration down);
  std::optional<Time> up_since() const { return up_since_; }
  std::uint64_t deaths() const { return deaths_; }

  Time now() const { return world.clock.true_time(); }
  Time beginning() const { return beginning_; }
  const std::vector<Kept>& certificates() const { return certificates_; }
  Kept& certificate(std::size_t index) { return certificates_[index]; }
  std::vector<std::unique_ptr<Host>>& hosts() { return hosts_; }
  std::string ca_part(const std::string& ca) const { return "ca " + ca; }
  // May a CA say nonsense about when to renew?
  bool advice_may_be_bad() const { return advice_may_be_bad_; }
  bool uses_webroot() const { return uses_webroot_; }

  FakeWorld world;
  Config config;
  Health health;
  Trace trace;

 private:
  void add_ca(std::size_t number);
  void add_host(std::size_t number);
  void add_certificate(std::size_t index);
  void add_challenge();
  void share_a_name(CertificateSpec& spec, Kept& kept);
  void receive(const Event& event);
  void look_for_generation(Kept& kept);
  void end_process();
  void start_later(Duration after);

  SeededRandom random_;
  SeededRandom standbys_;  // apart, so that all else is as it would be without them
  SeededRandom sharing_;   // likewise
  FleetWatcher* watcher_ = nullptr;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<Kept> certificates_;
  bool uses_webroot_ = false;
  bool advice_may_be_bad_ = false;
  Time beginning_{};
  std::unique_ptr<EventStream> events_;
  std::unique_ptr<Daemon> daemon_;
  std::optional<Time> up_since_;
  std::uint64_t run_ = 0;
  std::uint64_t deaths_ = 0;
};

}  // namespace nolapse
