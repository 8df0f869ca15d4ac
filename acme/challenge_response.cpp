#include "acme/challenge_response.h"

namespace nolapse::acme {

bool is_valid_token(std::string_view token) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !token.empty() && token.size() <= 512 &&
         token.find_first_not_of(allowed) == std::string_view::npos;
}

std::string key_authorization(std::string_view token, std::string_view thumbprint) {
  return std::string(token) + "." + std::string(thumbprint);
}

std::string http01_path(std::string_view token) {
  return "/.well-known/acme-challenge/" + std::string(token);
}

}  // namespace nolapse::acme
