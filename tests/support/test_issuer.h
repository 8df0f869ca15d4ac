// Makes real X.509 certificates for tests: roots, intermediates, cross-signs and leaves with the
// names, dates and serial numbers that a test wants. P-256 throughout. OpenSSL refusing to make
// one is a broken test and ends it. [RFC 5280]
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/time.h"

namespace nolapse {

struct LeafOptions {
  std::vector<acme::Identifier> identifiers;  // none: no subjectAltName
  acme::Time not_before{};
  acme::Time not_after{};
  std::string serial = "\x01";  // unsigned octets, most significant first
  std::string common_name;      // empty: an empty subject
  bool authority_key_identifier = true;
  std::vector<std::string> revocation_list_urls;
};

struct RevokedSerial {
  std::string serial;  // as in LeafOptions
  acme::Time at{};
  int reason = 0;  // CRLReason; 0: none is given
};

struct RevocationListOptions {
  acme::Time this_update{};
  std::optional<acme::Time> next_update;
  std::vector<RevokedSerial> revoked;
  std::string place;  // a URL, in the issuing distribution point; empty: no such extension
  std::string scope;  // what else is in it, in OpenSSL's words: "onlyCA:TRUE"
  bool delta = false;
};

class TestIssuer {
 public:
  static TestIssuer root(const std::string& common_name, acme::Time not_before,
                         acme::Time not_after);
  // Signed by this one, with its own key and this one's dates.
  TestIssuer intermediate(const std::string& common_name) const;

  // DER of a server certificate for this public key (the private part need not be there).
  std::string issue(const LeafOptions& leaf, const acme::PrivateKey& subject_key) const;
  // DER of another certificate for `other`: its name and key, signed by this one.
  std::string cross_sign(const TestIssuer& other) const;
  // DER of a list that this one signs. [RFC 5280 §5]
  std::string sign_revocation_list(const RevocationListOptions& options) const;

  const std::string& certificate() const { return certificate_; }  // DER
  const std::string& common_name() const { return common_name_; }
  const std::string& key_identifier() const { return key_identifier_; }  // raw octets

 private:
  std::string sign_authority(const TestIssuer& subject) const;

  std::string common_name_;
  acme::Time not_before_{};
  acme::Time not_after_{};
  acme::PrivateKey key_;
  std::string certificate_;
  std::string key_identifier_;
};

std::string pem_of(std::string_view der);
std::string pem_of(const std::vector<std::string>& chain);  // DER each

}  // namespace nolapse
