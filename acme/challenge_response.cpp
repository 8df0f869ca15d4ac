#include "acme/challenge_response.h"

#include "acme/base64url.h"
#include "acme/persist_record.h"

namespace nolapse::acme {

bool is_valid_token(std::string_view token) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !token.empty() && token.size() <= 512 &&
         token.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_valid_token(std::string_view challenge_type, std::string_view token) {
  return challenge_type == persist_type ? token.empty() : is_valid_token(token);
}

std::string key_authorization(std::string_view token, std::string_view thumbprint) {
  return std::string(token) + "." + std::string(thumbprint);
}

std::string http01_path(std::string_view token) {
  return "/.well-known/acme-challenge/" + std::string(token);
}

std::string dns01_value(std::string_view key_authorization) {
  return base64url_encode(sha256(key_authorization));
}

std::string dns_label(std::string_view challenge_type, std::string_view account_url) {
  if (challenge_type == "dns-01") return "_acme-challenge";
  if (challenge_type != "dns-account-01") return {};
  // base32 of the first ten octets, which needs no padding [RFC 4648 §6]
  const std::string digest = sha256(account_url);
  std::string label = "_";
  unsigned bits = 0;
  int held = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    bits = bits << 8 | static_cast<unsigned char>(digest[i]);
    for (held += 8; held >= 5; held -= 5) {
      label += "abcdefghijklmnopqrstuvwxyz234567"[bits >> (held - 5) & 31];
    }
  }
  return label + "._acme-challenge";
}

}  // namespace nolapse::acme
