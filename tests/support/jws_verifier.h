// A server's side of JSON Web Signatures: what acme/jws.h signs, read and checked without sharing
// any of its code, so that a mistake there cannot hide here. [RFC 7515, RFC 8555 §6.2]
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "acme/private_key.h"
#include "acme/time.h"

namespace nolapse {

// Why a server says no: the problem document it answers with.
struct Refusal {
  int status = 400;
  std::string type;  // without the URN prefix
  std::string detail;
  std::vector<std::string> algorithms = {};
  std::optional<acme::Time> retry_after = {};
  std::string location = {};
  std::string identifier = {};  // of one subproblem; empty: none
};

template <class T>
using Answer = tl::expected<T, Refusal>;

inline tl::unexpected<Refusal> refuse(int status, std::string type, std::string detail) {
  return tl::unexpected<Refusal>(Refusal{status, std::move(type), std::move(detail)});
}
inline tl::unexpected<Refusal> refuse(Refusal refusal) {
  return tl::unexpected<Refusal>(std::move(refusal));
}

struct JwsMessage {
  nlohmann::json header;  // the protected one
  std::string payload;
  std::string signed_text;  // what the signature covers
  std::string signature;
  std::string text(const char* member) const;  // of the header; empty when absent or no string
};

// The flattened form with exactly its three members, each in strict base64url.
Answer<JwsMessage> parse_jws(const nlohmann::json& object);
// Public keys of P-256, P-384 and RSA from 2048 bits: as strict as a CA.
Answer<acme::PrivateKey> parse_jwk(const nlohmann::json& jwk);
// Checks that `alg` fits the key, and the signature.
Answer<void> verify_signature(const JwsMessage& message, const acme::PrivateKey& key);
bool verify_hs256(const JwsMessage& message, std::string_view mac_key);
// [RFC 7638], from the JWK's own members
std::string thumbprint_of(const nlohmann::json& jwk);

}  // namespace nolapse
