// A fake world with a CA, a configuration, and self-tests over it. Each renewal and each self-test
// is a process of its own.
#pragma once

#include <string>
#include <vector>

#include "agent/core/agent.h"
#include "agent/core/checks/families.h"
#include "tests/support/fake_world.h"

namespace nolapse {

class CheckScene {
 public:
  CheckScene();

  CaConfig& add_ca(const std::string& name);  // at https://NAME.test
  ChallengeConfig& add_challenge(const std::string& name, const std::string& type);
  // Proved by "web" at "ca", without targets and endpoints.
  CertificateSpec& add_certificate(const std::string& name, const std::string& host);
  void renew();
  void update_account(const std::string& ca);

  // Of the family's checks, without those that are fine.
  std::vector<Finding> check(const CheckFamily& family, bool deep = true,
                             std::vector<std::string> names = {},
                             std::optional<DaemonView> daemon = {});
  // What the checks found, as "CODE severity certificate [subject]", in their order.
  static std::vector<std::string> brief(const std::vector<Finding>& findings);

  Store store() { return Store(config.state_directory, world.files); }

  FakeWorld world{1};
  Config config;
  FakeCa* ca = nullptr;  // the first
  Duration took{};       // the last self-test
};

// The one with this code; fails the test where there is none.
const Finding& the(const std::vector<Finding>& findings, const std::string& code);
// The only one there is, likewise.
const Finding& only(const std::vector<Finding>& findings);
bool has(const std::string& text, const std::string& part);

}  // namespace nolapse
