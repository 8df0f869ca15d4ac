// The objects of RFC 8555 §7.1 as a client reads them: unknown members, states and challenge
// types are kept or skipped, never an error.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/identifier.h"
#include "acme/problem.h"
#include "acme/result.h"

namespace nolapse::acme {

struct Directory {  // [RFC 8555 §7.1.1]
  std::string new_nonce;
  std::string new_account;
  std::string new_order;
  std::string revoke_cert;
  std::string key_change;
  std::string renewal_info;  // [RFC 9773 §4.1]; empty: the CA has none
  std::string terms_of_service;
  std::vector<std::string> caa_identities;
  bool external_account_required = false;
  std::map<std::string, std::string> profiles;
  // For dns-persist-01, draft -02; empty: the CA has an older one, or none.
  std::vector<std::string> issuer_domain_names;
  std::string account_hash_prefix;
};
// Fails (kind transient) unless newNonce, newAccount and newOrder are there.
Result<Directory> parse_directory(std::string_view body);

struct Order {  // [RFC 8555 §7.1.3]
  std::string status;
  std::vector<Identifier> identifiers;
  std::vector<std::string> authorizations;
  std::string finalize;
  std::string certificate;
  std::string profile;
  std::optional<Time> expires;
  std::optional<Problem> error;
};
Result<Order> parse_order(std::string_view body);

struct Challenge {  // [RFC 8555 §8]
  std::string type;
  std::string url;
  std::string status;
  std::string token;  // absent in some types, e.g. dns-persist-01
  // dns-persist-01: what the record may name, as the CA's draft offers it. Hostile text.
  std::vector<std::string> issuer_domain_names;
  std::string account_uri;  // since draft -01
  std::optional<Problem> error;
};

struct Authorization {  // [RFC 8555 §7.1.4]
  Identifier identifier;
  bool wildcard = false;
  std::string status;
  std::optional<Time> expires;
  std::vector<Challenge> challenges;

  // The name as it stands in the order: with "*." put back.
  std::string ordered_name() const { return (wildcard ? "*." : "") + identifier.value; }
};
Result<Authorization> parse_authorization(std::string_view body);
// "the CA sent an authorization WHAT"
Error bad_authorization(const std::string& what);

}  // namespace nolapse::acme
