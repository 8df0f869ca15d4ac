// What the fake CA remembers: its database, as plain data with references by id.
// [RFC 8555 §7.1]
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/time.h"

namespace nolapse {

struct CaAccount {
  std::string id;
  std::string status = "valid";
  nlohmann::json jwk;
  std::string thumbprint;
  acme::PrivateKey key;  // the public part
  std::vector<std::string> contact;
};

struct CaChallenge {
  std::string id;
  std::string authorization;
  std::string type;
  std::string token;
  std::string status = "pending";
  nlohmann::json error;
  std::optional<acme::Time> validate_at;
  std::optional<acme::Time> validated;
};

struct CaAuthorization {
  std::string id;
  std::string account;
  acme::Identifier identifier;  // without "*."
  bool wildcard = false;
  std::string status = "pending";
  acme::Time expires{};
  std::vector<std::string> challenges;

  std::string ordered_name() const { return (wildcard ? "*." : "") + identifier.value; }
};

struct CaOrder {
  std::string id;
  std::string account;
  std::string status = "pending";
  std::vector<acme::Identifier> identifiers;  // sorted
  std::vector<std::string> authorizations;
  acme::Time expires{};
  std::string profile;
  std::string replaces;
  nlohmann::json error;
  acme::PrivateKey certificate_key;  // of the CSR, public part
  std::optional<acme::Time> issue_at;
  std::string certificate;  // id
};

struct CaCertificate {
  std::string id;
  std::string order;
  std::string account;
  std::vector<acme::Identifier> identifiers;
  std::string leaf;                              // DER
  std::vector<std::vector<std::string>> chains;  // DER, leaf first; the default chain first
  acme::PrivateKey key;                          // public part
  std::string renewal_id;                        // certID [RFC 9773 §4.1]
  acme::Time not_before{};
  acme::Time not_after{};
  std::string serial;  // unsigned octets
  std::optional<acme::Time> revoked;
  int revocation_reason = 0;  // [RFC 5280 §5.3.1]
  std::string replaced_by;    // an order
};

}  // namespace nolapse
