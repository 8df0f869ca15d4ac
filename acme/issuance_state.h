// What one issuance must remember over a crash. Plain data: the owner saves it after every step
// in which it changed and before the effect of that step is carried out. [RFC 8555 §7.1.6, §7.4]
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "acme/identifier.h"
#include "acme/persist_record.h"
#include "acme/result.h"

namespace nolapse::acme {

// A challenge that was or is about to be provisioned, with all that is needed to take it away.
struct PresentedChallenge {
  Identifier identifier;  // without "*."
  bool wildcard = false;
  std::string type;
  std::string url;    // empty: a probe of ours, of which no CA knows
  std::string token;  // dns-persist-01 has none, nor a key authorization
  std::string key_authorization;
  std::string label = {};       // DNS challenges: what stands before the name, "_acme-challenge"
  PersistRequest persist = {};  // dns-persist-01

  // The name as it stands in the order: with "*." put back.
  std::string ordered_name() const { return (wildcard ? "*." : "") + identifier.value; }
  friend bool operator==(const PresentedChallenge&, const PresentedChallenge&) = default;
};

struct IssuanceState {
  std::string order_url;                      // empty: no order yet
  std::vector<PresentedChallenge> presented;  // to be cleaned up

  friend bool operator==(const IssuanceState&, const IssuanceState&) = default;
};

nlohmann::json to_json(const IssuanceState& state);
// Fails on a document that is no issuance state; a lost order costs a new one, nothing else.
Result<IssuanceState> parse_issuance_state(const nlohmann::json& document);

}  // namespace nolapse::acme
