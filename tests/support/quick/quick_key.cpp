// In place of acme/private_key.cpp.
#include "tests/support/quick/quick_key.h"

#include <openssl/rand.h>

#include <array>
#include <cstdio>

namespace nolapse {

namespace quick {

std::uint64_t mix(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31);
}

std::uint64_t hash(std::string_view text, std::uint64_t start) {
  std::uint64_t result = start ^ 0xcbf29ce484222325U;
  for (const char octet : text) {
    result ^= static_cast<unsigned char>(octet);
    result *= 0x100000001b3U;
  }
  return mix(result);
}

std::string hex(std::uint64_t number) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; number >>= 4) text[i] = digits[number & 0xf];
  return text;
}

std::uint64_t parse_hex(std::string_view text) {
  if (text.size() != 16) return 0;
  std::uint64_t number = 0;
  for (const char digit : text) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && (digit < 'a' || digit > 'f')) return 0;
    number = number << 4 | static_cast<std::uint64_t>(decimal ? digit - '0' : digit - 'a' + 10);
  }
  return number;
}

std::string public_text(const acme::PrivateKey& key) {
  return std::string(acme::name_of(key.get()->type)) + " " + hex(key.get()->open);
}

acme::PrivateKey public_key(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return {};
  const auto type = acme::parse_key_type(text.substr(0, space));
  const std::uint64_t open = parse_hex(text.substr(space + 1));
  if (!type || open == 0) return {};
  return acme::PrivateKey(new evp_pkey_st{0, open, *type});
}

std::string signature(std::string_view public_text, std::string_view message) {
  return hex(hash(message, hash(public_text, 0)));
}

std::string field(std::string_view text, std::string_view name) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = text.substr(start, end - start);
    if (line.size() > name.size() && line[name.size()] == '=' && line.starts_with(name))
      return std::string(line.substr(name.size() + 1));
    start = end + 1;
  }
  return {};
}

}  // namespace quick

namespace acme {

namespace {

constexpr std::array<const char*, 5> type_names = {"ecdsa-p256", "ecdsa-p384", "rsa-2048",
                                                   "rsa-3072", "rsa-4096"};
constexpr std::string_view head = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view tail = "\n-----END PRIVATE KEY-----\n";

}  // namespace

const char* name_of(KeyType type) {
  return type_names[static_cast<std::size_t>(type)];
}

std::optional<KeyType> parse_key_type(std::string_view name) {
  for (std::size_t i = 0; i < type_names.size(); ++i)
    if (name == type_names[i]) return static_cast<KeyType>(i);
  return {};
}

PrivateKey::PrivateKey(EVP_PKEY* key) : key_(key, [](EVP_PKEY* each) { delete each; }) {}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  std::uint64_t secret = 0;
  while (secret == 0) RAND_bytes(reinterpret_cast<unsigned char*>(&secret), sizeof secret);
  return PrivateKey(new evp_pkey_st{secret, quick::mix(secret + 1), type});
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  const auto bad = [] {
    return fail(ErrorKind::local, "BAD_PRIVATE_KEY", "not an unencrypted private key in PEM form");
  };
  if (!pem.starts_with(head) || !pem.ends_with(tail)) return bad();
  const std::string_view body = pem.substr(head.size(), pem.size() - head.size() - tail.size());
  const std::size_t space = body.find(' ');
  if (space == std::string_view::npos) return bad();
  const auto type = parse_key_type(body.substr(0, space));
  const std::uint64_t secret = quick::parse_hex(body.substr(space + 1));
  if (!type || secret == 0) return bad();
  return PrivateKey(new evp_pkey_st{secret, quick::mix(secret + 1), *type});
}

std::string PrivateKey::to_pem() const {
  if (!key_ || key_->secret == 0) return {};
  return std::string(head) + name_of(key_->type) + " " + quick::hex(key_->secret) +
         std::string(tail);
}

std::string PrivateKey::public_key_der() const {
  return quick::public_text(*this);
}

std::optional<KeyType> PrivateKey::type() const {
  if (!key_) return {};
  return key_->type;
}

}  // namespace acme

}  // namespace nolapse
