// What a client must present to prove control. [RFC 8555 §8]
#pragma once

#include <string>
#include <string_view>

namespace nolapse::acme {

// Only [A-Za-z0-9_-], at most 512: a token becomes a path, so a hostile one must not name another.
bool is_valid_token(std::string_view token);
// The token of a challenge of this type: dns-persist-01 has none, every other has one.
bool is_valid_token(std::string_view challenge_type, std::string_view token);

// token "." thumbprint. [RFC 8555 §8.1]
std::string key_authorization(std::string_view token, std::string_view thumbprint);

// "/.well-known/acme-challenge/" + token. [RFC 8555 §8.3]
std::string http01_path(std::string_view token);

// The TXT value of a key authorization: base64url of its SHA-256. [RFC 8555 §8.4]
std::string dns01_value(std::string_view key_authorization);

// What stands before the name where a challenge looks for its TXT record: "_acme-challenge" for
// dns-01 [RFC 8555 §8.4]; for dns-account-01 with a label of the account before it, so that several
// accounts can prove the same name [draft-ietf-acme-dns-account-label-02 §3.1]. Empty for
// challenges outside the DNS.
std::string dns_label(std::string_view challenge_type, std::string_view account_url);

}  // namespace nolapse::acme
