// One run over the certificates: decide what each needs, issue, deploy, verify. Certificates are
// independent jobs; one that fails or waits holds up no other.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/certificate_job.h"

namespace nolapse {

class Agent {
 public:
  Agent(World world, const Config& config, EventStream& events, SolverFactory make_solver);

  // Takes the lock of the state directory for the whole run. Error: held LOCK_HELD, or local when
  // the state directory cannot be used. Outcomes are in the order of the configuration.
  void renew(RenewOptions options, Completion<std::vector<CertificateOutcome>> done);

 private:
  void begin();
  void start_jobs();
  void job_ended();
  CaClient& ca_client(const CaConfig& ca);
  Solver& solver(const std::string& challenge);

  World world_;
  const Config& config_;
  EventStream& events_;
  SolverFactory make_solver_;
  Store store_;
  TargetTurns turns_;
  RenewOptions options_;
  Completion<std::vector<CertificateOutcome>> done_;
  std::unique_ptr<Files::Lock> lock_;
  std::map<std::string, std::unique_ptr<CaClient>> ca_clients_;
  std::map<std::string, std::unique_ptr<Solver>> solvers_;
  std::vector<std::unique_ptr<CertificateJob>> jobs_;
  std::size_t next_job_ = 0;
  std::size_t ended_ = 0;
};

}  // namespace nolapse
