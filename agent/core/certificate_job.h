// What one run does for one certificate: look, renew where it is due, deploy where that is not
// done, and report. The order of the questions is the life of a certificate (missing → issuing →
// issued → installed → reloaded → verified).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/ca_client.h"
#include "agent/core/deployment.h"
#include "agent/core/event_stream.h"
#include "agent/core/left_behind.h"
#include "agent/core/renewal.h"
#include "agent/core/revocation_check.h"
#include "agent/core/schedule.h"
#include "agent/core/solver.h"
#include "agent/core/store.h"
#include "agent/core/target_turns.h"
#include "agent/core/time_spent.h"
#include "agent/core/withheld.h"

namespace nolapse {

struct RenewOptions {
  // Instead of renewing: bring a generation to its targets, or take the newest back from them.
  enum class Work { renew, deploy, roll_back };
  Work work = Work::renew;
  std::string target;                  // for those: only this one; empty: all
  std::optional<unsigned> generation;  // for deploy; nothing: the newest
  std::vector<std::string> names;      // empty: all
  bool force = false;
  bool again = false;  // with force: past our estimate of the CA's rate limits, and its waits
  bool deploy = true;
  bool dry_run = false;
  std::string ca;  // only this one; empty: as configured
  // Back-off and the CA's wishes hold up the daemon; a person is not kept waiting.
  bool by_daemon = false;
};

struct CertificateOutcome {
  enum class Action { not_due, would_renew, would_deploy, renewed, deployed, failed, waiting };
  std::string name;
  Action action = Action::not_due;
  std::string reason;                    // why it was renewed, or was not
  std::optional<Generation> generation;  // the newest after the run
  // Endpoints were looked for and none was found: nobody can say what is served.
  bool unverified = false;
  bool issued = false;  // in this run, whatever became of its deployment
  DeploymentRecords deployments;
  std::vector<EndpointState> endpoints;
  std::optional<Error> error;
  Time next_look{};                    // when this certificate wants attention again
  std::optional<Time> renews_at = {};  // nothing: it is due, or nobody can say
  Duration took{};
  std::optional<TimeSpent> spent = {};  // of that, on what
};
const char* name_of(CertificateOutcome::Action action);

// What only memory knows of a certificate, from look to look.
struct Remembered {
  // What the disk did not take: a full one must not make us forget that we have to wait.
  std::unique_ptr<ScheduleRecord> unsaved_schedule;
  std::optional<Time> told_at;  // of a trouble that each look finds again
  bool advice_failed = false;   // the CA's, when it was asked last
  bool keys_given = false;      // to the configured group, or it was said why not
  // Of which generation it was said that renew_before is ignored.
  unsigned renew_before_ignored = 0;
  // When to ask for it again. Not worth a write of its own: after a restart it is asked once more.
  std::optional<Time> poll_after;
  std::string configuration;  // digest_of() what is in force
  std::optional<Time> told_of_revocation_at;
  std::optional<Time> revocation_poll;  // when the list of the revoked may be asked again
  bool revocation_list_failed = false;  // when it was asked for last
};

// References that outlive every job.
struct JobParts {
  World world;
  const Store& store;
  EventStream& events;
  TargetTurns& turns;
  std::map<std::string, Remembered>& remembered;
  const Config& config;
  std::function<CaClient&(const std::string& name)> ca;
  std::function<Solver*(const std::string& challenge)> solver;  // nothing: not configured
  LeftBehind& left_behind;
  RevocationCheck& revocation_check;
};

class CertificateJob {
 public:
  CertificateJob(JobParts parts, CertificateSpec spec, const RenewOptions& options);

  // `deploying` is called when what is left to do costs no CA anything, before `done`.
  void start(std::function<void()> deploying, std::function<void()> done);
  const CertificateOutcome& outcome() const { return outcome_; }
  CertificateOutcome take_outcome() { return std::move(outcome_); }  // the last to be asked

 private:
  using Action = CertificateOutcome::Action;

  void give_keys_to_group();
  void look();
  void looked();
  void begin_anew_where_reconfigured();
  void ask_the_ca();
  void advised(Result<CaClient::RenewalAdvice> advice);
  void tell_of_ignored_renew_before();
  void ask_whether_revoked();
  void told_whether_revoked(Result<RevocationCheck::Answer> answer);
  bool revoked() const;
  bool recalled(Time now) const;
  void tell_of_recall();
  const acme::Certificate* usable_leaf() const;
  const CaConfig* issuer_of(const Generation& generation) const {
    return parts_.config.find_issuer(generation.ca, generation.ca_directory);
  }
  Time now_or_later();
  void decide();
  void renew_or_wait();
  Who asker() const;
  bool inside_window() const;
  Renewal::Request request(const std::string& challenge);
  std::vector<acme::Identifier> failing_names() const;
  CertificateSpec without_failing_names();
  void count_refusals();
  void issue();
  std::vector<std::string> ca_order() const;
  std::vector<std::string> challenge_order() const;
  void ask_next_ca();
  void ask();
  void failed(const Error& error);
  void came_to_nothing(const Error& error);
  void issued(Result<Generation> generation);
  void obtained(Generation generation);
  bool find_other_cas();
  void take_over_or(bool failed, std::function<void()> otherwise);
  void give_up_order(std::function<void(FileWork)> then);
  void move_standby(FileWork work, unsigned number, const std::string& reason,
                    const std::function<void()>& otherwise);
  void taken_over(Generation generation, const std::string& reason);
  void retry_later(ErrorKind kind, std::optional<Time> retry_after);
  void save_schedule(std::function<void()> then);
  void deploy_or_probe();
  bool finish_way_back();
  void deploy_wanted();
  Result<unsigned> number_to_go_back_to(const DeploymentRecords& records) const;
  DeploymentWish wish(bool again) const;
  bool is_due(unsigned generation, const DeploymentWish& wish) const;
  DeploymentRecords records_in_force() const;
  std::optional<EndsEarlier> first_to_end(bool only_taken_back) const;
  void tell(Severity severity, const std::string& code, const std::string& message);
  bool told_today(std::optional<Time>& told_at) const;
  void mark_verified();
  void probe();
  void probed(std::vector<EndpointState> endpoints);
  bool is_fit(const Generation& generation) const;
  bool leaves_newer(const std::vector<EndpointState>& endpoints);
  void deploy(Generation generation, DeploymentWish wish);
  void end(Action action, std::optional<Error> error = {});
  bool note_what_was_proven();
  bool note_where_it_is_served();
  bool told_of_expiry();
  Time planned_renewal() const;
  int expiry_step(const std::optional<EndsEarlier>& earlier, Time now) const;
  std::optional<Time> next_step(const std::optional<EndsEarlier>& earlier, Time now) const;
  void report();

  JobParts parts_;
  CertificateSpec spec_;
  const RenewOptions& options_;
  std::function<void()> deploying_;
  std::function<void()> done_;
  CertificateOutcome outcome_;
  ScheduleRecord schedule_;
  std::optional<Time> certificate_until_;  // of a standby: what is in use meanwhile
  bool anew_ = false;                      // what the disk has of the schedule is to be replaced
  bool reconfigured_ = false;  // since the last attempt: what held it up then no longer counts
  Due due_;
  Time judged_at_{};   // the moment that `due_` is about, see now_or_later()
  unsigned lost_ = 0;  // see lost_generation()
  std::optional<Error> issuance_error_;
  std::vector<Generation> to_serve_;          // see load_to_serve()
  std::vector<acme::Identifier> left_out_;    // of the attempt, see names_to_leave_out()
  std::vector<std::string> cas_left_;         // to ask, in order
  std::string ca_;                            // asked last
  std::vector<std::string> challenges_left_;  // to go by at that CA, in order
  std::string challenge_;                     // gone by last
  std::chrono::milliseconds began_{};
  std::unique_ptr<Renewal> renewal_;
  std::optional<Deployment> deployment_;
};

}  // namespace nolapse
