// One attempt to get one certificate from one CA: the glue between the order flow, which performs
// no I/O, and the world. Whatever the flow must remember is durable before its next effect is
// carried out; a new Renewal made after a crash goes on with the same order and key.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "acme/issuance.h"
#include "agent/core/ca_client.h"
#include "agent/core/event_stream.h"
#include "agent/core/left_behind.h"
#include "agent/core/solver.h"
#include "agent/core/store.h"
#include "agent/core/time_spent.h"

namespace nolapse {

class Renewal {
 public:
  struct Request {
    CertificateSpec spec;
    std::string challenge;       // which of the spec's this attempt goes by
    Who asker = Who::daemon;     // a person does not want to wait for an order that hangs
    bool inside_window = false;  // the CA advises to renew just now [RFC 9773]
    bool patient = false;  // what only we see may delay it: nobody waits, and it is the first try
    // The moment that made it due; nothing: something other than the time did.
    std::optional<Time> due_at = {};
    std::string compromised_key = {};  // a public key that is not to be certified again
    // The CA saw the last proof by this challenge, and we did not.
    bool unseen_before = false;
    // What a person has to set is told before the CA is asked. After two attempts it is asked all
    // the same: it may see what this host does not.
    bool wait_for_person = false;
    bool rehearsal = false;      // what it obtains is thrown away, and no client has to trust it
    std::string reason = {};     // why it is renewed, for people
    TimeSpent* spent = nullptr;  // where its time is noted; must outlive the attempt
  };

  // The references must outlive the attempt.
  Renewal(World world, const Store& store, EventStream& events, CaClient& ca, Solver& solver,
          LeftBehind& left_behind, Request request);

  // At most once. The generation is durable and complete when it arrives here.
  void start(Completion<Generation> done);

  // After a failure: the names for which the CA saw no proof, or which it will not have.
  const std::vector<acme::Identifier>& refused() const { return refused_; }
  // After a failure: it is the proof's. It could not be presented, the CA does not offer this
  // challenge or did not see it. Another challenge may succeed.
  bool proof_failed() const { return proof_failed_; }
  // After a failure: our own count of the CA's limits refused, and no CA was asked.
  bool over_our_count() const { return over_our_count_; }
  // The names, as ordered, that a proof was presented for: the CA did not go by an earlier one.
  const std::set<std::string>& proved() const { return proved_; }
  // How the proof was seen from here; nothing: none was asked for.
  const std::optional<SavedProof>& proof() const { return proof_; }

 private:
  SavedIssuance wanted() const;
  bool is_worn_out(const SavedIssuance& issuance) const;
  std::optional<Error> refused_by_clock() const;
  void take_up();
  void clean_up(const std::vector<acme::PresentedChallenge>& challenges,
                std::function<void()> then);
  void drop_and_begin(const SavedIssuance& stale);
  void begin();
  std::optional<Error> refused_by_profile();
  std::optional<Error> refused_by_ledger();
  OrderKind order_kind() const;
  void check_caa();
  std::optional<Error> refused_by_own_files();
  bool take_up_pair_of(const SavedIssuance& saved);
  void choose_key();
  void save_pair();
  void run();
  std::string predecessor() const;
  void drive(const acme::IssuanceEvent& event);
  void count_order(const std::function<void()>& then);
  void save_then(acme::IssuanceEffect effect);
  void carry_out(const acme::IssuanceEffect& effect);
  void carry_out(const acme::effect::Send& effect);
  void carry_out(const acme::effect::Present& effect);
  void look_at_proofs(const std::vector<acme::PresentedChallenge>& challenges);
  void carry_out(const acme::effect::CleanUp& effect);
  void carry_out(const acme::effect::Wait& effect);
  void carry_out(const acme::effect::Finished& effect);
  void carry_out(const acme::effect::Failed& effect);
  void looked_at_proofs(const Solver::ProofReport& report);
  void tell_of_other_lifetime(const acme::Certificate& leaf);
  void tell_of_ending_proof(const acme::Certificate& leaf);
  void check_issued(const std::vector<acme::Certificate>& chain);
  Result<void> check_issuer(const std::vector<acme::Certificate>& chain, Time now);
  bool must_be_known(const CaConfig& ca) const;
  void complete(const std::vector<acme::Certificate>& chain);
  void note_rejected_names(const Error& error);
  void give_up(const Error& error, bool order_kept);
  void refuse(Error error);
  void info(const char* code, std::string message);
  void enter(TimeSpent::Phase phase) {
    if (request_.spent != nullptr) request_.spent->enter(phase);
  }

  World world_;
  const Store& store_;
  EventStream& events_;
  CaClient& ca_;
  Solver& solver_;
  LeftBehind& left_behind_;
  Request request_;
  Completion<Generation> done_;
  SavedIssuance saved_;   // as it is on disk
  acme::PrivateKey key_;  // none where only the operator has it
  std::optional<acme::SigningRequest> own_request_;
  std::string anchors_;  // issuer_roots in PEM; empty: what this host knows counts
  std::optional<acme::Issuance> issuance_;
  std::vector<acme::Identifier> refused_;
  std::optional<Generation> newest_;  // the one to be replaced
  OrderKind order_kind_ = OrderKind::new_set;
  bool proof_failed_ = false;
  std::set<std::string> proved_;
  std::optional<SavedProof> proof_;
  std::optional<Time> proof_until_;
  std::string caa_;   // what our own look at the CAA records found against it; empty: nothing
  std::string hint_;  // what the solver saw of the CA
  // What it may cost of the CA's limits, until that is counted.
  std::shared_ptr<const void> creation_held_;
  std::shared_ptr<const void> outcome_held_;
  std::shared_ptr<const void> key_held_;  // the account's, see CaClient::hold_key()
  bool over_our_count_ = false;
};

}  // namespace nolapse
