// The smallest whole scene: one CA, one web server with its hook, one certificate. Every run of
// the agent is a process of its own, which may be killed, or lose its power, on the way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/agent.h"
#include "agent/core/status_collection.h"
#include "tests/support/fake_world.h"

namespace nolapse {

class Shop {
 public:
  explicit Shop(std::uint64_t seed, FakeCaSettings settings = {});

  enum class Death { kill, power_failure };
  using Outcomes = std::vector<CertificateOutcome>;

  // Nothing: the process died on the way, or (a defect) never came to an end.
  std::optional<Result<Outcomes>> renew(RenewOptions options = {});
  // The same, dying after that many further file operations.
  std::optional<Result<Outcomes>> renew_and_die(std::uint64_t file_operations, Death death,
                                                RenewOptions options = {});
  // The same, dying after that many steps of the clock: between any two things that happen.
  std::optional<Result<Outcomes>> renew_and_die_after_steps(int steps, Death death);
  // The one certificate's outcome of a renew() that must come to an end.
  CertificateOutcome renewed(RenewOptions options = {});
  CertificateStatus status();

  void add_certificate(const std::string& name, const std::string& host);

  // What must hold whenever no process is running. Empty: all of it does.
  std::string violation() const;
  std::string fingerprint_of_live() const;
  std::string fingerprint_served() const;

  FakeWorld world;
  FakeCa& ca;
  FakeService& nginx;
  Config config;
  std::vector<std::string> trace;  // every event of every run

  static constexpr const char* state = "/var/lib/nolapse";

 private:
  void begin(RenewOptions options);
  void end();
  void die(Death death);

  std::unique_ptr<EventStream> events_;
  std::unique_ptr<Agent> agent_;
  std::optional<Result<Outcomes>> outcomes_;
  bool dead_ = false;
};

}  // namespace nolapse
