// One rehearsal of one certificate at one CA: all that a renewal needs, tried where nothing in
// production can come to harm. It *is* a renewal, at the CA's staging directory, with a state
// directory of its own, the real solver and the real hooks. Where no order can be placed it is
// partial: the account, the CAA records, a proof with a token that nobody asked for, the hooks.
//
//   the DNS → order → end its authorizations, so that the next order is proved anew → hooks
//
// Nothing of it touches the certificate's schedule, the ledger of its CA, or what is served.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/hook_rehearsal.h"
#include "agent/core/renewal.h"

namespace nolapse {

struct RehearsalOutcome {
  std::string ca;
  RehearsalRecord record;
  // It failed, or, of kind deferred: nothing was found out, the CA wants us to wait.
  std::optional<Error> error;

  bool waits() const { return error && error->kind == ErrorKind::deferred; }
};

// References that outlive every rehearsal.
struct RehearsalParts {
  World world;
  const Config& config;
  const Store& production;  // for looking
  const Store& store;       // the rehearsals'
  EventStream& events;      // what a rehearsal does, step by step
  LeftBehind& left_behind;  // of rehearsals
  TargetTurns& turns;
  std::function<CaClient&(const std::string& ca)> production_ca;
  std::function<CaClient&(const std::string& ca)> staging_ca;
  std::function<Solver*(const std::string& challenge)> solver;
};

class Rehearsal {
 public:
  Rehearsal(RehearsalParts parts, const CertificateSpec& spec, const CaConfig& ca);

  // At most once, while nobody else works on the certificate. In the record, `failures` and
  // `jitter` are left to the caller.
  void start(std::function<void(RehearsalOutcome)> done);

 private:
  using Probes = std::vector<acme::PresentedChallenge>;

  void remove_what_was_left();
  void begin();
  void look_at_caa();
  void look_at_persist_record();
  void next_challenge();
  void order();
  void ordered(Result<Generation> generation);
  void order_once_more();
  void remove_generation(const std::function<void()>& then);
  void rehearse_hooks();
  void rehearsed_hooks(HookRehearsal hooks);

  // rehearsal_partial.cpp
  void go_without_order(const std::string& why);
  void looked_at_account(const AccountOutcome& account);
  void look_at_caa_of_production();
  Probes probes_for(const CaClient& ca) const;
  void prove();
  void present(const Probes& probes);
  void looked_at_probes(const Solver::ProofReport& report);
  void take_probes_away(std::optional<Error> error);

  Solver& solver() const { return *parts_.solver(challenge_); }
  CaClient& staging() const { return parts_.staging_ca(ca_.name); }
  bool unseen_before() const;
  void failed(const Error& error, bool by_proof = false);
  void end(std::optional<Error> error = {});
  void report(std::optional<Error> error);

  RehearsalParts parts_;
  const CertificateSpec& spec_;
  const CaConfig& ca_;
  std::function<void(RehearsalOutcome)> done_;
  std::chrono::milliseconds began_{};
  ScheduleRecord schedule_;                   // of the certificate
  std::optional<Generation> newest_;          // in production
  std::vector<std::string> challenges_left_;  // in the order of a renewal
  std::string challenge_;
  bool with_order_ = true;
  bool once_more_ = false;
  bool proof_fresh_ = false;
  std::unique_ptr<Renewal> renewal_;
  std::optional<Generation> generation_;  // obtained
  std::vector<std::string> not_shown_;
};

}  // namespace nolapse
