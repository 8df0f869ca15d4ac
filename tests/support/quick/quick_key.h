// The stand-ins of this folder replace, at link time, the few files that need real cryptography:
// keys, signatures, certificates. A program that is linked with them runs the same core, the same
// files and the same CA, a hundred times as fast. They are honest about what goes wrong in a
// simulation (a wrong key, a torn file, a broken chain, a date) and about nothing else; nothing
// here is secure.
//
// A key is a number. Its public part is another one that follows from it, and a signature is a
// hash of what is signed together with the public part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "acme/private_key.h"

struct evp_pkey_st {
  std::uint64_t secret = 0;  // 0: only the public part is known
  std::uint64_t open = 0;
  nolapse::acme::KeyType type = nolapse::acme::KeyType::ecdsa_p256;
};

namespace nolapse::quick {

std::uint64_t mix(std::uint64_t number);
std::uint64_t hash(std::string_view text, std::uint64_t start);
std::string hex(std::uint64_t number);
// 0 where the text is no such number.
std::uint64_t parse_hex(std::string_view text);

// "ecdsa-p256 0123456789abcdef", and the key again; nothing where it is none.
std::string public_text(const acme::PrivateKey& key);
acme::PrivateKey public_key(std::string_view text);

std::string signature(std::string_view public_text, std::string_view message);

// The value behind "name=" on a line of its own.
std::string field(std::string_view text, std::string_view name);

}  // namespace nolapse::quick
