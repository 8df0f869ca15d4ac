// base64url without padding, the only binary-to-text form in JWS. [RFC 4648 §5, RFC 8555 §6.1]
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nolapse::acme {

std::string base64url_encode(std::string_view bytes);
// Refuses padding, white space and stray bits in the last character. [RFC 8555 §6.1]
std::optional<std::string> base64url_decode(std::string_view text);
// As above, but also takes padding and the `+/` alphabet: CAs hand out EAB keys in both forms.
std::optional<std::string> base64_decode_lenient(std::string_view text);
std::string hex_encode(std::string_view bytes);  // lower case
std::string sha256(std::string_view bytes);      // 32 raw octets

}  // namespace nolapse::acme
