// The whole fake world in one object: what a simulation makes from a seed, runs the real core
// against, and crashes. A seed decides every chance in it, OpenSSL's numbers included.
//
// What survives a crash is what survives in reality: the CAs and what they remember, the services
// and their installed pairs, the files as file_tree.h has it. The agent's objects are the
// simulation's: it destroys them before or after kill() or crash(), never from inside one of
// their functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/world/world.h"
#include "tests/support/fake_ca.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_dns.h"
#include "tests/support/fake_files.h"
#include "tests/support/fake_http.h"
#include "tests/support/fake_http_responder.h"
#include "tests/support/fake_mail.h"
#include "tests/support/fake_processes.h"
#include "tests/support/fake_services.h"
#include "tests/support/fake_tls_alpn_responder.h"
#include "tests/support/seeded_openssl.h"
#include "tests/support/seeded_random.h"

namespace nolapse {

class FakeKeyMaker final : public KeyMaker {
 public:
  explicit FakeKeyMaker(FakeClock& clock) : clock_(clock) {}
  void generate(acme::KeyType type, Completion<acme::PrivateKey> done) override;

 private:
  FakeClock& clock_;
};

class FakeWorld {
 private:
  SeededOpenssl openssl_;
  SeededRandom seeds_;

 public:
  explicit FakeWorld(std::uint64_t seed);
  FakeWorld(const FakeWorld&) = delete;
  FakeWorld& operator=(const FakeWorld&) = delete;

  World world();

  // A CA that is reached, trusted, and validates against this host.
  FakeCa& add_ca(FakeCaSettings settings = {});
  // A service on an address of this host, with its deploy hook as an executable file.
  FakeService& add_service(const std::string& name, const std::string& hook_path,
                           const std::string& address, std::uint16_t port,
                           const std::string& server_name = "");
  // A name that points to this host.
  void add_local_name(const std::string& host, const std::string& address = "192.0.2.10");
  // A web server on the validation port, in the way of a listener there.
  void add_webroot(std::uint16_t port, const std::string& directory);

  void kill();   // as kill -9: hooks and requests under way go on, files keep everything
  void crash();  // a power failure: unsynced files are at risk, hooks are gone, services restart

  FakeClock clock;
  FakeFiles files;
  FakeDns dns;
  FakeHttp http;
  FakeHttpResponder http_responder;
  FakeTlsAlpnResponder tls_alpn_responder;
  Http01Validation validation;
  FakeTlsProbe tls_probe;
  FakeProcesses processes;
  FakeKeyMaker key_maker;
  SeededRandom random;
  FakeMail mail;
  std::vector<std::unique_ptr<FakeCa>> cas;
  std::vector<std::unique_ptr<FakeService>> services;
};

}  // namespace nolapse
