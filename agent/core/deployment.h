// Brings one generation of one certificate to all its targets, issued → installed → reloaded →
// verified, and is not done until the endpoints serve it. The stage of each target is durable
// before the next begins; a failed target holds up no other and is tried again by the next run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/event_stream.h"
#include "agent/core/hook.h"
#include "agent/core/store.h"
#include "agent/core/turns.h"
#include "agent/core/verification.h"

namespace nolapse {

struct DeploymentOutcome {
  DeploymentRecords records;
  std::vector<EndpointState> endpoints;
  std::optional<Error>
      error;  // the first that happened; nothing: all is verified, or nothing can be

  // Is there anything that the endpoints say?
  bool verifiable() const { return !endpoints.empty(); }
};

class Deployment {
 public:
  // After a reload old workers may serve for a moment: an endpoint gets this long to change.
  static constexpr int later_limit = 3;
  static constexpr Duration verification_limit = std::chrono::seconds(10);

  // A target that has the generation already is left alone, unless what is served says otherwise.
  enum class Targets { unfinished, all };

  // The references must outlive the deployment.
  Deployment(World world, const Store& store, EventStream& events, Turns& turns,
             const Config& config, const CertificateSpec& spec, Generation generation,
             Targets targets);

  void start(std::function<void(DeploymentOutcome)> done);

 private:
  void next_target();
  bool is_finished(const std::string& target) const;
  void run_verb(const DeployTarget& target, const std::string& verb,
                std::function<void(Result<HookOutcome>)> done);
  void install(const DeployTarget& target);
  void reload(const DeployTarget& target);
  void reload_later(const DeployTarget& target);
  void reloaded(const DeployTarget& target);
  void leave_target(const DeployTarget& target, std::optional<Error> error);
  void save(FileWork more, std::function<void()> then);
  void verify();
  void verified(std::vector<EndpointState> endpoints);
  void mark_verified();
  void mark_unverified();
  void switch_live_then_end();
  void end();
  void note(Error error);
  void count_failure(DeploymentRecord& record, const Error& error);

  World world_;
  const Store& store_;
  EventStream& events_;
  Turns& turns_;
  const Config& config_;
  const CertificateSpec& spec_;
  Generation generation_;
  Targets targets_;
  std::function<void(DeploymentOutcome)> done_;
  DeploymentOutcome outcome_;
  std::size_t next_ = 0;  // index into spec_.deploy
  int later_ = 0;         // how often a hook asked to be tried later
  int probes_ = 0;
  std::chrono::milliseconds verification_began_{};
};

// Anchors for chains of this generation: those of the CA that issued it.
std::string issuer_roots(const Config& config, const Generation* generation);

}  // namespace nolapse
