// dns-persist-01: a permanent TXT record says which CA may issue to which account. The operator
// sets it once; nothing is put there or taken away for an order, and the challenge has no token.
// [draft-ietf-acme-dns-persist-00 to -02; experimental: the three differ in how the account is
// named, and the value is made as the CA's own offer has it]
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/time.h"

namespace nolapse::acme {

inline constexpr std::string_view persist_type = "dns-persist-01";

// What the record of one name has to say.
struct PersistRequest {
  std::vector<std::string> issuers;       // any of them; the first is proposed
  std::vector<std::string> account_uris;  // likewise
  bool wildcard = false;                  // for "*." of the name

  friend bool operator==(const PersistRequest&, const PersistRequest&) = default;
};

// Where the record of a name (without "*.") stands.
std::string persist_record_name(std::string_view domain);

// The account as draft -02 has it: PREFIX "sha-256/" and a hash of the domain the record stands at
// ("*": whichever), the account key's thumbprint and the account's URL.
std::string persist_account_hash(std::string_view prefix, std::string_view domain,
                                 std::string_view thumbprint, std::string_view account_url);

// May these stand in a record, and be shown to an operator? A CA that names the account at another
// host than its own would have its customers authorize somebody else.
bool is_issuer_name(std::string_view name);
bool is_account_uri_at(std::string_view uri, std::string_view account_url);

// A value that fulfils the request, and the same as a line of a zone file: a string there has at
// most 255 octets.
std::string persist_record_value(const PersistRequest& request);
std::string persist_zone_line(const std::string& domain, const PersistRequest& request);

struct PersistJudgement {
  std::string fault;          // of what is there; empty: one record fulfils the request
  std::optional<Time> until;  // when that one ends; nothing: never
};
// As a CA judges the TXT values of the name: one that fulfils it is enough, those for other CAs are
// of no interest. Of several faults the one that is nearest to success.
PersistJudgement judge_persist_records(const std::vector<std::string>& values,
                                       const PersistRequest& request, Time now);

}  // namespace nolapse::acme
