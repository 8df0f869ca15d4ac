// What all certificates share: the state directory and its lock, the clients of the CAs, the
// solvers, and whose turn it is. Certificates are independent jobs; one that fails or waits holds
// up no other. A command makes one Agent for one run, the daemon keeps one as long as its
// configuration is in force.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/certificate_job.h"
#include "agent/core/event_log.h"
#include "agent/core/rehearsals.h"
#include "agent/core/revocation.h"
#include "agent/core/self_test.h"
#include "agent/core/standby.h"
#include "agent/core/turns.h"

namespace nolapse {

class Agent {
 public:
  Agent(World world, const Config& config, EventStream& events, SolverFactory make_solver);

  // Prepares the state directory, takes its lock, sweeps what ended runs left there and what is
  // too old, and notes events on the disk from here on. Errors:
  // held LOCK_HELD; local where the directory cannot be used.
  void open(const std::string& holder, Completion<void> done);

  // After open(). Works on the named certificates (none named: all), several at once, each one
  // only once at a time. `each` is told as soon as one has ended; outcomes come in the order of
  // the configuration, those of standbys, "<name>/standby", behind all others. The daemon names
  // standbys itself; without `force` and `ca` any other run takes them along.
  void renew(RenewOptions options, std::function<void(std::vector<CertificateOutcome>)> done,
             std::function<void(const CertificateOutcome&)> each = nullptr);

  // Removes what is too old by the configuration. Never what is in use.
  void tidy();
  // What the state directory has and the configuration has not.
  std::vector<std::string> orphans() const;
  // After open(). Removes all there is of an orphan. Errors: input UNKNOWN_CERTIFICATE,
  // STILL_CONFIGURED; local as Files.
  void forget(const std::string& name, Completion<void> done);

  // After open(). On the account at one CA, or at all of them where `ca` is empty, one after the
  // other; an outcome for each, in the order of the configuration.
  void work_on_accounts(AccountAction action, const std::string& ca,
                        std::function<void(std::vector<AccountOutcome>)> done);
  // After open(). Rehearses the named certificates (none named: all) at their CAs, or only at
  // `cas`, each when nobody else works on it; outcomes come in the order of the configuration.
  void rehearse(const std::vector<std::string>& names, const std::vector<std::string>& cas,
                std::function<void(std::vector<CertificateRehearsal>)> done);

  // After open(). When nobody else works on the certificate. Errors: input UNKNOWN_CERTIFICATE, and
  // those of Revocation.
  void revoke(RevocationRequest request, Completion<RevocationOutcome> done);

  // Runs the self-tests. Needs no lock, makes no account, and leaves nothing behind. `daemon` as in
  // CheckContext.
  void check(SelfTestRequest request, std::optional<DaemonView> daemon,
             std::function<void(Findings)> done);

  // As it stands on the disk; nothing: it was read from no file.
  const std::shared_ptr<ConfigOnDisk>& config_on_disk() { return config_on_disk_; }

  // The wall clock was set forward by that much.
  void follow_clock(Duration forward);

  // Begins nothing new; `ended` is called when nothing is under way any more. A run of which a
  // part never began is not reported.
  void finish(std::function<void()> ended);
  bool finishing() const { return ended_ != nullptr; }
  // Certificates and accounts that are being worked on.
  std::size_t running() const { return running_; }

  // What is remembered of the files is remembered once in a process.
  const Store& store() const { return store_; }

 private:
  // One certificate of a run. Its job is made when it is begun: a daemon that has a thousand to
  // look at has never that many jobs.
  struct Selected {
    const CertificateSpec* spec;
    bool standby;  // it is that of `spec`
    std::unique_ptr<CertificateJob> job = {};
    std::string name() const { return standby ? standby_name(spec->name) : spec->name; }
  };
  struct Run {
    RenewOptions options;
    std::function<void(std::vector<CertificateOutcome>)> done;
    std::function<void(const CertificateOutcome&)> each;
    std::vector<Selected> selected;
    std::size_t ended = 0;
    std::list<Run>::iterator place;
  };

  struct AccountRun {
    AccountAction action;
    std::deque<std::string> cas;  // still to come
    std::vector<AccountOutcome> outcomes;
    std::function<void(std::vector<AccountOutcome>)> done;
  };

  std::vector<const CertificateSpec*> select(const std::vector<std::string>& names) const;
  std::vector<const CertificateSpec*> select_standbys(const std::vector<std::string>& names) const;
  void sweep(Completion<void> done);
  FileWork remove_what_is_old() const;
  std::unique_ptr<CertificateJob> make_job(const Selected& selected, const RenewOptions& options);
  void wait_for_turn(Run& run, Selected& selected);
  void wait_for_slot(Run& run, Selected& selected);
  void start_jobs();
  void start_job(Run& run, Selected& selected);
  void free_slot();
  void job_ended(Run& run, Selected& selected);
  void work_ended();
  void next_account(const std::shared_ptr<AccountRun>& run);
  bool is_known(const std::string& name) const;
  void start_standby(Run& run, const CertificateSpec& spec);
  void end(Run& run);
  CaClient& ca_client(const std::string& name, CaClient::FirstContact first_contact);
  Solver* solver(const std::string& challenge);  // nothing: it is not configured

  World world_;
  const Config& config_;
  EventStream& events_;
  SolverFactory make_solver_;
  Store store_;
  LeftBehind left_behind_;
  TargetTurns target_turns_;
  Turns certificate_turns_;
  Turns proof_turns_;
  std::map<std::string_view, const CertificateSpec*> certificates_;  // the configuration's
  std::shared_ptr<ConfigOnDisk> config_on_disk_;
  std::map<std::string, Remembered> remembered_;
  RevocationCheck revocation_check_;
  std::unique_ptr<Files::Lock> lock_;
  std::unique_ptr<EventLog> event_log_;
  std::map<std::string, std::unique_ptr<CaClient>> ca_clients_;
  std::map<std::string, std::unique_ptr<Solver>> solvers_;
  Rehearsals rehearsals_;
  std::list<Run> runs_;
  std::deque<std::function<void()>> waiting_;  // jobs to start, of all runs; each has its turn
  std::size_t running_ = 0;
  std::size_t slots_used_ = 0;  // by those that may yet ask a CA for something
  std::function<void()> ended_;
};

}  // namespace nolapse
