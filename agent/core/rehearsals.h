// The rehearsals of all certificates: their place below the state directory, their accounts at the
// staging directories, and whose turn it is. A few run at once, beside the real orders and never at
// the same time as one for the same certificate, nor as another rehearsal for one of its names.
// What comes of each is saved and told as an event.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/rehearsal.h"
#include "agent/core/turns.h"

namespace nolapse {

struct CertificateRehearsal {
  std::string name;
  std::vector<RehearsalOutcome> cas;  // in the order of the configuration
  bool saved = true;                  // false: the disk did not take it
};

class Rehearsals {
 public:
  // References that outlive it.
  struct Parts {
    World world;
    const Config& config;
    const Store& store;  // of production
    EventStream& events;
    TargetTurns& targets;
    Turns& certificates;
    std::function<CaClient&(const std::string& ca)> production_ca;
    std::function<Solver*(const std::string& challenge)> solver;
    std::function<bool()> may_begin;     // false: the process is about to end
    std::function<void()> begun, ended;  // a certificate's
  };
  explicit Rehearsals(Parts parts);

  // At all CAs of each certificate, or only at those of `cas`. `done` is not called where
  // something of it never began.
  void rehearse(const std::vector<const CertificateSpec*>& specs,
                const std::vector<std::string>& cas,
                std::function<void(std::vector<CertificateRehearsal>)> done);

  // Removes what rehearsals left of a certificate that nobody wants any more.
  FileWork forget(const std::string& name) const;

 private:
  struct Run {
    std::vector<CertificateRehearsal> outcomes;
    std::size_t open = 0;
    std::function<void(std::vector<CertificateRehearsal>)> done;
  };
  struct Job {
    const CertificateSpec* spec = nullptr;
    std::deque<const CaConfig*> cas;  // still to rehearse at
    RehearsalRecords records;
    std::unique_ptr<Rehearsal> rehearsal;
    CertificateRehearsal* outcome = nullptr;
    std::shared_ptr<Run> run;
    std::list<Job>::iterator place;
  };

  Job& add_job(const CertificateSpec& spec, const std::vector<std::string>& cas);
  void open(const std::function<void()>& then);
  void begin_waiting();
  bool may_run_beside_others(const Job& job) const;
  void start(Job& job);
  void next_ca(Job& job);
  void rehearsed(Job& job, RehearsalOutcome outcome);
  void tell(const std::string& name, const RehearsalOutcome& outcome, bool news);
  void save(Job& job, const std::function<void()>& then);
  void end(Job& job);
  CaClient& staging_ca(const std::string& ca);

  Parts parts_;
  EventStream steps_;  // handed on as what a rehearsal does
  Store store_;
  LeftBehind left_behind_;
  std::map<std::string, std::unique_ptr<CaClient>> staging_cas_;
  bool opened_ = false;
  Turns opening_;
  std::list<Job> jobs_;
  std::deque<Job*> waiting_;
  std::vector<const Job*> running_;
};

}  // namespace nolapse
