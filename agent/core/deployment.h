// Brings one generation of one certificate to all its targets and is not done until the endpoints
// serve it. Targets are worked on at the same time and hold each other up in nothing. What made an
// endpoint worse than it was before is taken back, and that is verified, too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/deployment_journal.h"
#include "agent/core/deployment_rules.h"
#include "agent/core/target_deployment.h"
#include "agent/core/time_spent.h"
#include "agent/core/to_serve.h"
#include "agent/core/verification.h"

namespace nolapse {

struct DeploymentOutcome {
  DeploymentRecords records;
  std::vector<EndpointState> endpoints;
  // The first that happened; nothing: all is verified, or nothing can be. Kind deferred, code
  // WINDOW_CLOSED: only the window of a target is waited for.
  std::optional<Error> error;
  bool newer_served = false;  // nothing was done, see served_and_newer()
  bool touched = false;       // a target was deployed to, or live/ moved
  bool unverified = false;    // endpoints are well, and none of them serves this generation
};

struct DeploymentWish {
  // A target that has the generation already is left alone, unless what is served says otherwise.
  bool again = false;
  Patience patience = Patience::none;
  std::string target = {};  // only this one, or this section's hosts; empty: all
  // A person went back to an older generation: the newest is not brought there before they say so.
  unsigned withdrawn = 0;
  std::optional<SavedRevocation> revocation = {};  // what the CA has taken back
  bool just_obtained = false;                      // it is the newest there is, whatever is served
  std::vector<std::string> known_places = {};      // see VerificationRequest
  TimeSpent* spent = nullptr;  // where its time is noted; must outlive the deployment
};

// Is there something to do for a target of the certificate, by the records?
bool deployment_is_due(const World& world, const Store& store, const Config& config,
                       const CertificateSpec& spec, unsigned generation,
                       const DeploymentWish& wish);

// How endpoints fare after a deployment: all as they should, one of them with what was deployed; as
// they should, but none of them with that; or not.
enum class Served { yes, not_seen, no };

class Deployment {
 public:
  // After a reload old workers may serve for a moment: an endpoint gets this long to change, and
  // where it is worse than before, or was never reached, this long to recover.
  static constexpr Duration verification_limit = std::chrono::seconds(10);
  static constexpr Duration recovery_limit = std::chrono::seconds(4);

  // The references must outlive the deployment.
  Deployment(World world, const Store& store, EventStream& events, TargetTurns& turns,
             const Config& config, const CertificateSpec& spec, Generation generation,
             DeploymentWish wish);

  void start(std::function<void(DeploymentOutcome)> done);

 private:
  void take_up_records();
  void choose_targets();
  bool leaves_newer();
  void deploy_own();
  void deploy_foreign();
  void deploy(bool foreign, std::function<void()> then);
  void probe(VerificationRequest request, std::function<void(std::vector<EndpointState>)> done);
  void verify();
  void verified(std::vector<EndpointState> endpoints);
  bool may_still_change(const std::string& worse,
                        const std::vector<EndpointState>& endpoints) const;
  void mark_verified();
  void mark_unverified();
  void switch_live_then_end();
  bool has_generation(const DeploymentRecord& record) const;
  unsigned newest() const { return wish_.withdrawn != 0 ? wish_.withdrawn : generation_.number; }
  VerificationRequest request() const;
  Served served(const std::vector<EndpointState>& endpoints) const;
  bool others_fail() const;

  void roll_back(const std::string& why);
  void find_former(const DeployTarget& target, const Error& error);
  void go_back(bool foreign, const Error& error, std::function<void()> then);
  FileWork take_live_back();
  void went_back(const DeployTarget& target, const Generation& former, const Error& error);
  bool is_had_elsewhere() const;
  void verify_former();
  void look_at_former();
  void end();
  void enter(TimeSpent::Phase phase) {
    if (wish_.spent != nullptr) wish_.spent->enter(phase);
  }

  World world_;
  const Store& store_;
  EventStream& events_;
  TargetTurns& turns_;
  const Config& config_;
  const CertificateSpec& spec_;
  const Generation generation_;
  const DeploymentWish wish_;
  std::function<void(DeploymentOutcome)> done_;
  DeploymentJournal journal_;
  std::vector<std::unique_ptr<TargetDeployment>> deployments_;
  std::size_t open_ = 0;                // of those, under way
  std::optional<Error> window_closed_;  // for a target that only waits for its window
  std::vector<EndpointState> before_;
  std::vector<EndpointState> endpoints_;
  std::map<unsigned, Generation> formers_;  // gone back to, by number
  bool newer_served_ = false;
  bool live_moved_ = false;
  bool unverified_ = false;
  int probes_ = 0;
  std::chrono::milliseconds probing_began_{};
};

}  // namespace nolapse
