// What an issuance has to present for a challenge. Apart from the flow, because each type of
// challenge has its own idea of a proof. [RFC 8555 §8]
#include <algorithm>
#include <set>

#include "acme/challenge_response.h"
#include "acme/issuance.h"

namespace nolapse::acme {

namespace {

// May it be shown between the quotes of a record?
bool is_quotable(const std::string& uri) {
  return std::all_of(uri.begin(), uri.end(), [](char c) {
    return c > ' ' && c <= '~' && c != ';' && c != '"' && c != '\\';
  });
}

}  // namespace

// Proof is given of what was ordered and of nothing else, whatever the CA asks for.
bool Issuance::is_ordered(const Authorization& authorization) const {
  const Identifier name{authorization.identifier.type, authorization.ordered_name()};
  const auto& all = request_.identifiers;
  return !authorization.identifier.value.starts_with("*.") &&
         std::find(all.begin(), all.end(), name) != all.end();
}

std::optional<Error> Issuance::misplaced_authorization() const {
  std::set<std::string> names;
  for (const Authorization& authorization : authorizations_) {
    if (authorization.status == "valid") continue;
    const std::string name = printable(authorization.ordered_name(), 300);
    if (!is_ordered(authorization)) {
      return bad_authorization("for \"" + name + "\", which was not ordered");
    }
    if (!names.insert(name).second) return bad_authorization("for " + name + " twice");
  }
  return {};
}

// Nothing where the challenge is unusable: its token is no file name, or the record that it asks
// for is not this account's at this CA.
std::optional<PresentedChallenge> Issuance::proof_for(const Authorization& authorization,
                                                      const Challenge& challenge) const {
  PresentedChallenge proof{
      authorization.identifier, authorization.wildcard, challenge.type, challenge.url, {}, {}};
  if (challenge.type != persist_type) {
    if (!is_valid_token(challenge.token)) return {};
    proof.token = challenge.token;
    proof.key_authorization = key_authorization(challenge.token, request_.thumbprint);
    proof.label = dns_label(challenge.type, request_.account_url);
    return proof;
  }
  PersistRequest& wanted = proof.persist;
  wanted.wildcard = authorization.wildcard;
  wanted.issuers = challenge.issuer_domain_names.empty() ? request_.issuer_domain_names
                                                         : challenge.issuer_domain_names;
  // The drafts are told apart by what there is. [draft-ietf-acme-dns-persist-00, -01, -02]
  if (!challenge.account_uri.empty()) {
    wanted.account_uris = {challenge.account_uri};
    if (!is_account_uri_at(challenge.account_uri, request_.account_url)) return {};
  } else if (!request_.account_hash_prefix.empty()) {
    for (const std::string& domain : {authorization.identifier.value, std::string("*")}) {
      wanted.account_uris.push_back(persist_account_hash(
          request_.account_hash_prefix, domain, request_.thumbprint, request_.account_url));
    }
  } else {
    wanted.account_uris = {request_.account_url};
  }
  const bool plausible =
      !wanted.issuers.empty() && wanted.issuers.size() <= 10 &&
      std::all_of(wanted.issuers.begin(), wanted.issuers.end(), is_issuer_name) &&
      std::all_of(wanted.account_uris.begin(), wanted.account_uris.end(), is_quotable);
  return plausible ? std::optional(std::move(proof)) : std::nullopt;
}

}  // namespace nolapse::acme
