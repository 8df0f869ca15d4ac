// TLS services, each with the pair that was installed for it and the pair that it serves, which
// differ until a reload; and the probe that looks at them. Whether a chain validates is asked of
// OpenSSL, for real, at the virtual time. [RFC 5280 §6]
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "acme/x509.h"
#include "agent/world/world.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_tls_alpn_responder.h"

namespace nolapse {

struct KeyPair {
  std::string fullchain;  // PEM, leaf first
  std::string private_key;

  friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

// Does the key belong to the leaf?
bool is_matching(const KeyPair& pair);

class FakeService {
 public:
  explicit FakeService(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const std::optional<KeyPair>& installed() const { return installed_; }
  const std::optional<KeyPair>& serving() const { return serving_; }
  const std::vector<std::string>& served() const { return served_; }  // leaf fingerprints, in turn

  // Looked at once, when it is installed: a service is probed far more often than changed.
  struct Facts {
    bool matching = false;
    std::vector<acme::Certificate> chain;
  };
  static Facts facts_of(const KeyPair& pair);

  void install(KeyPair pair) {
    const Facts facts = facts_of(pair);
    install(std::move(pair), facts);
  }
  void install(KeyPair pair, Facts facts);
  // False where the installed pair is unusable: then what was served goes on being served.
  bool reload();
  // What a client is shown; nothing: no handshake succeeds.
  const std::vector<acme::Certificate>* shown_chain() const;
  std::size_t reloads() const { return served_.size(); }  // that changed what is served
  // After a power failure: what is installed or, if that is unusable, nothing.
  void restart();

  bool broken_configuration = false;  // its own test fails whatever pair is installed
  bool ignores_reload = false;        // reports success and serves what it served
  bool serves_anything = false;       // also a mismatched pair: then no handshake succeeds
  // No handshake succeeds with such a leaf, although its own test had nothing against it.
  std::function<bool(const acme::Certificate& leaf)> chokes_on = nullptr;
  bool unreachable = false;
  unsigned closes = 0;  // so many connections to come, in the middle of their handshakes
  bool hangs = false;   // its hook never ends
  Duration latency = std::chrono::milliseconds(3);
  std::string own_key = {};  // PEM: the operator put it there, for chains that come without one

 private:
  std::string name_;
  std::optional<KeyPair> installed_;
  std::optional<KeyPair> serving_;
  Facts installed_facts_;
  Facts serving_facts_;
  std::vector<std::string> served_;
};

class FakeTlsProbe final : public TlsProbe {
 public:
  FakeTlsProbe(FakeClock& clock, const Files& files) : clock_(clock), files_(files) {}

  void probe(ProbeRequest request, std::function<void(ProbeReply)> done) override;

  // An empty SNI answers for every name that has no service of its own there.
  void listen(const std::string& address, std::uint16_t port, const std::string& server_name,
              FakeService& service);
  void trust(const std::string& root_der) { system_roots_.push_back(root_der); }
  FakeTlsAlpnResponder* alpn_responder = nullptr;  // who meets a probe that offers "acme-tls/1"

 private:
  // That a chain validated once, for a name and with these anchors, and until when it does.
  struct Validated {
    std::size_t reloads = 0;
    std::string server_name;
    std::string roots;
    Time from{};
    Time until{};
  };

  ProbeReply look(const ProbeRequest& request);
  std::string cached_chain_error(const FakeService& service, const ProbeRequest& request);
  FakeService* find(const ProbeRequest& request) const;
  std::string chain_error(const std::vector<std::string>& chain, const ProbeRequest& request) const;

  FakeClock& clock_;
  const Files& files_;
  std::map<std::tuple<std::string, std::uint16_t, std::string>, FakeService*> listeners_;
  std::vector<std::string> system_roots_;  // DER
  std::map<const FakeService*, Validated> validated_;
};

}  // namespace nolapse
