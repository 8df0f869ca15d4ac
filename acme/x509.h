// Certificates as facts. OpenSSL 3.0 needs 130 µs to parse one, so facts are read once and kept.
// [RFC 5280]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acme/identifier.h"
#include "acme/private_key.h"
#include "acme/result.h"

namespace nolapse::acme {

struct Certificate {
  std::string der;
  std::string serial_number;  // hex of the DER content octets, lower case, even length
  std::string subject;        // one line, RFC 2253
  std::string subject_common_name;
  std::string issuer;
  std::string issuer_common_name;
  std::vector<Identifier> subject_alternative_names;  // sorted, DNS and IP only
  Time not_before{};
  Time not_after{};
  std::string fingerprint_sha256;        // 64 lower-case hex digits of the whole certificate
  std::string public_key_der;            // SubjectPublicKeyInfo
  std::string authority_key_identifier;  // raw keyIdentifier octets; empty when absent
  // Where the issuer keeps the list of what it has revoked: http and https. [RFC 5280 §4.2.1.13]
  std::vector<std::string> revocation_list_urls;
};

Result<Certificate> parse_certificate(std::string_view der);
// As in Certificate, of whatever octets these are.
std::string fingerprint_sha256(std::string_view der);

// A chain as a CA serves it: leaf first. Anything between the blocks is ignored, any block that
// is not a CERTIFICATE is refused. At least one certificate. [RFC 8555 §9.1, §11.4]
Result<std::vector<Certificate>> parse_pem_chain(std::string_view pem);
std::string to_pem(const Certificate& certificate);

// Why clients of today may refuse its key or its signature, in words; empty: they do not. Needs the
// DER.
std::string weakness_of(const Certificate& certificate);

// Does the certificate name this identifier (wildcards considered)?
bool names(const Certificate& certificate, const Identifier& identifier);

// What must hold before anything on disk changes: the leaf carries this key and at least these
// identifiers, is valid at `now` (a not_before up to an hour ahead is tolerated: clocks differ),
// and each certificate is signed by the next. Errors say which of these failed.
Result<void> check_issued_chain(const std::vector<Certificate>& chain,
                                const std::string& public_key_der,
                                const std::vector<Identifier>& identifiers, Time now);

// PKCS #10 in DER: no subject, the identifiers as subjectAltName [RFC 8555 §7.4]; with
// `must_staple` the TLS feature status_request [RFC 7633 §4.2.3].
Result<std::string> make_signing_request(const PrivateKey& key,
                                         const std::vector<Identifier>& identifiers,
                                         bool must_staple = false);

}  // namespace nolapse::acme
