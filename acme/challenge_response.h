// What a client must present to prove control. [RFC 8555 §8]
#pragma once

#include <string>
#include <string_view>

namespace nolapse::acme {

// Only [A-Za-z0-9_-], at most 512: a token becomes a path, so a hostile one must not name another.
bool is_valid_token(std::string_view token);

// token "." thumbprint. [RFC 8555 §8.1]
std::string key_authorization(std::string_view token, std::string_view thumbprint);

// "/.well-known/acme-challenge/" + token. [RFC 8555 §8.3]
std::string http01_path(std::string_view token);

}  // namespace nolapse::acme
