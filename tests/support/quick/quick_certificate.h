// A certificate as lines of text, the last of which is a signature over those before.
#pragma once

#include <string>
#include <vector>

#include "acme/x509.h"

namespace nolapse::quick {

struct CertificateFields {
  std::string serial;  // octets
  std::string subject;
  std::string issuer;
  std::vector<acme::Identifier> names;
  acme::Time not_before{};
  acme::Time not_after{};
  std::string public_text;
  std::string authority_key_identifier;  // octets
  std::string revocation_lists;          // one URL, or empty
};

std::string write_certificate(const CertificateFields& fields,
                              const std::string& issuer_public_text);
// Adds the last line, a signature over those before.
std::string sign_lines(std::string text, const std::string& public_text);
// Is it signed by this key?
bool is_signed_with(std::string_view certificate, std::string_view public_text);

// From milliseconds.
acme::Time read_time(const std::string& text);

// "dns:a dns:b"
std::string write_names(const std::vector<acme::Identifier>& names);
std::vector<acme::Identifier> read_names(const std::string& text);

}  // namespace nolapse::quick
