// A machine of the fleet's: an address, a deploy hook, and one virtual host for each certificate
// that is deployed there. One reload is for all of them, as with a real web server, and the hook
// has its bad days.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fake_world.h"

namespace nolapse {

// What matters of a certificate to those who look from outside.
struct Leaf {
  std::string fingerprint;
  Time not_before{};
  Time not_after{};

  Duration lifetime() const { return not_after - not_before; }
};
Leaf leaf_of(const acme::Certificate& certificate);

class Host {
 public:
  struct Site {
    std::size_t certificate = 0;
    std::string address;
    std::unique_ptr<FakeService> service;
    FakeProgram hook;
    std::optional<KeyPair> before;  // the pair that was installed before the one that is
    bool by_somebody_else = false;  // what is installed
    bool put_back = false;          // and what is served
    bool rolled_back = false;       // by its hook
    std::size_t reloads_seen = 0;
    std::optional<Leaf> served;
  };
  // Something else is served now than before, or the same once more.
  using Observer = std::function<void(const Host&, const Site&, const std::optional<Leaf>& before)>;

  Host(FakeWorld& world, std::string name, std::string address, bool serves_anything,
       Observer observer);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // `name` is the certificate's in the configuration.
  Site& add_site(std::size_t certificate, const std::string& name, const std::string& server_name);

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }
  const std::string& hook() const { return hook_; }
  const std::map<std::string, Site>& sites() const { return sites_; }

  void set_hangs(bool hangs) { hangs_ = hangs; }
  void set_fails(bool fails);                 // its own configuration is broken
  void set_half(bool half) { half_ = half; }  // does what it is asked and reports a failure
  void set_later(bool later) { later_ = later; }
  void set_ignores_reload(bool ignores);
  void set_unreachable(bool unreachable);
  void restore_backup();  // every site gets the pair back that it had before
  void restart();         // after a power failure

 private:
  ProcessResult run_hook(const ProcessSpec& spec);
  void reload_all();
  void notice(Site& site);
  void for_each(const std::function<void(FakeService&)>& change);

  FakeWorld& world_;
  std::string name_;
  std::string address_;
  std::string hook_;
  bool serves_anything_;
  Observer observer_;
  std::map<std::string, Site> sites_;
  std::vector<Site*> changed_;  // installed and not yet reloaded
  bool hangs_ = false;
  bool half_ = false;
  bool later_ = false;
};

}  // namespace nolapse
