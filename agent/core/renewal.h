// One attempt to get one certificate from one CA: the glue between the order flow, which performs
// no I/O, and the world. Whatever the flow must remember is durable before its next effect is
// carried out; a new Renewal made after a crash goes on with the same order and key.
#pragma once

#include <optional>
#include <string>

#include "acme/issuance.h"
#include "agent/core/ca_client.h"
#include "agent/core/event_stream.h"
#include "agent/core/solver.h"
#include "agent/core/store.h"

namespace nolapse {

class Renewal {
 public:
  // The references must outlive the attempt.
  Renewal(World world, const Store& store, EventStream& events, CaClient& ca, Solver& solver,
          const CertificateSpec& spec, bool requested);

  // At most once. The generation is durable and complete when it arrives here.
  void start(Completion<Generation> done);

 private:
  SavedIssuance wanted() const;
  bool is_worn_out(const SavedIssuance& issuance) const;
  void take_up();
  void drop_and_begin(const SavedIssuance& stale);
  void begin();
  void save_key(const acme::PrivateKey& key);
  void run(const acme::PrivateKey& key);
  std::string predecessor() const;
  void drive(const acme::IssuanceEvent& event);
  void save_then(acme::IssuanceEffect effect);
  void carry_out(const acme::IssuanceEffect& effect);
  void carry_out(const acme::effect::Send& effect);
  void carry_out(const acme::effect::Present& effect);
  void carry_out(const acme::effect::CleanUp& effect);
  void carry_out(const acme::effect::Wait& effect);
  void carry_out(const acme::effect::Finished& effect);
  void carry_out(const acme::effect::Failed& effect);
  void refuse(Error error);
  void info(const char* code, std::string message);

  World world_;
  const Store& store_;
  EventStream& events_;
  CaClient& ca_;
  Solver& solver_;
  const CertificateSpec& spec_;
  bool requested_;  // by an operator, who does not want to wait for an order that hangs
  Completion<Generation> done_;
  SavedIssuance saved_;  // as it is on disk
  acme::PrivateKey key_;
  std::optional<acme::Issuance> issuance_;
  std::optional<Generation> newest_;  // the one to be replaced
  std::string hint_;                  // what the solver saw of the CA
};

}  // namespace nolapse
