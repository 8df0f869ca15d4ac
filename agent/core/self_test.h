// The self-tests: every way a renewal is known to break is looked for before it matters. A check is
// a function over configuration and world for one subject (the host, a CA, a certificate, a target,
// a proof of control) that reports findings. One that throws, hangs or may not look is *unknown*,
// never fine. What each code means stands in check_catalogue.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/ca_client.h"
#include "agent/core/config_on_disk.h"
#include "agent/core/finding.h"
#include "agent/core/solver.h"
#include "agent/core/status.h"

namespace nolapse {

// What only the daemon knows of itself.
struct DaemonView {
  std::string configuration;               // ConfigOnDisk's digest when it was taken up
  std::map<std::string, Time> next_looks;  // when each certificate is to be looked at
  Time since{};                            // it looks after them since then
  std::string status_page_fault = {};      // why it cannot be opened; empty: it can, or need not
};

// What a check may look at. References outlive the self-test.
struct CheckContext {
  World world;
  const Config& config;
  const Store& store;
  std::function<CaClient&(const std::string& name)> ca;
  std::function<Solver*(const std::string& challenge)> solver;  // nothing: not configured
  std::optional<DaemonView> daemon;  // nothing: this process is not the daemon
  std::map<std::string, CertificateStatus> statuses = {};  // by certificate, as they are now
  std::vector<std::string> orphans = {};
  std::shared_ptr<ConfigOnDisk> config_on_disk = {};
  // The certificates by the public key of their newest generation; both are parts of `statuses`.
  std::multimap<std::string_view, std::string_view> names_by_key = {};

  const CertificateStatus& status_of(const CertificateSpec& spec) const {
    return statuses.at(spec.name);
  }
};

// What a check is about; what does not apply is nothing.
struct CheckSubject {
  const CertificateSpec* certificate = nullptr;
  const CaConfig* ca = nullptr;
  const ChallengeConfig* challenge = nullptr;
  const DeployTarget* target = nullptr;
  const WatchSpec* watch = nullptr;

  std::string text() const;  // "target nginx"; empty: the host, or the certificate itself
};

enum class CheckDepth {
  cheap,  // looks at this host and what it serves
  deep,   // asks the CA, proves control with a token of its own, runs hooks with `check`
};

// Whom a check is run for.
enum class CheckScope {
  host,
  ca,
  certificate,
  target,
  challenge,
  proof,
  certificate_and_ca,
  watch
};

using CheckReport = std::function<void(std::vector<Finding>)>;

// A check that has not reported by then is unknown. Longer than any wait within most of them.
inline constexpr Duration check_deadline = std::chrono::seconds(90);

struct Check {
  std::vector<const char*> codes;  // all it may report; the first stands for it when all is well
  CheckDepth depth;
  CheckScope scope;
  // Reports once, at once or later. Findings without a certificate and a subject get the check's.
  std::function<void(const std::shared_ptr<const CheckContext>&, const CheckSubject&, CheckReport)>
      run;
  Duration deadline = check_deadline;
};

// For those that need not wait for anything.
using PlainCheck = std::function<std::vector<Finding>(const CheckContext&, const CheckSubject&)>;
Check plain_check(std::vector<const char*> codes, CheckDepth depth, CheckScope scope,
                  PlainCheck run);

struct SelfTestRequest {
  std::vector<std::string> names = {};  // of certificates; empty: all, and the host
  bool deep = false;
  bool only_faults = false;  // what is fine is not reported
};

// Runs `checks` and reports all findings, those that are fine too. `context` without statuses:
// they are gathered first. No turn of the loop is longer than a few certificates take.
void run_self_test(CheckContext context, const std::vector<Check>& checks, SelfTestRequest request,
                   std::function<void(Findings)> done);

void worst_first(std::vector<Finding>& findings);

// All checks there are.
const std::vector<Check>& all_checks();

}  // namespace nolapse
