// In place of acme/x509.cpp, acme/x509_issuer.cpp and acme/x509_request.cpp; what they check is
// checked here as well.
#include "tests/support/quick/quick_certificate.h"

#include <algorithm>
#include <charconv>

#include "acme/base64url.h"
#include "acme/x509_issuer.h"
#include "tests/support/quick/quick_key.h"

namespace nolapse {

namespace quick {

namespace {

constexpr std::string_view signed_by = "signature=";

}  // namespace

acme::Time read_time(const std::string& text) {
  std::int64_t milliseconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  return acme::Time(acme::Duration(milliseconds));
}

std::string sign_lines(std::string text, const std::string& public_text) {
  text += std::string(signed_by) + signature(public_text, text) + "\n";
  return text;
}

std::string write_names(const std::vector<acme::Identifier>& names) {
  std::string text;
  for (const acme::Identifier& each : names)
    text += (text.empty() ? "" : " ") + each.type + ":" + each.value;
  return text;
}

std::vector<acme::Identifier> read_names(const std::string& text) {
  std::vector<acme::Identifier> names;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::size_t colon = std::min(text.find(':', start), end);
    if (colon < end)
      names.push_back({text.substr(start, colon - start), text.substr(colon + 1, end - colon - 1)});
    start = end + 1;
  }
  return names;
}

std::string write_certificate(const CertificateFields& fields,
                              const std::string& issuer_public_text) {
  std::string text = "serial=" + acme::hex_encode(fields.serial) + "\nsubject=" + fields.subject +
                     "\nissuer=" + fields.issuer + "\nnames=" + write_names(fields.names) +
                     "\nfrom=" + std::to_string(fields.not_before.time_since_epoch().count()) +
                     "\nuntil=" + std::to_string(fields.not_after.time_since_epoch().count()) +
                     "\nkey=" + fields.public_text +
                     "\nauthority=" + acme::base64url_encode(fields.authority_key_identifier) +
                     "\nlists=" + fields.revocation_lists + "\n";
  return sign_lines(std::move(text), issuer_public_text);
}

bool is_signed_with(std::string_view certificate, std::string_view public_text) {
  const std::size_t at = certificate.rfind(signed_by);
  return at != std::string_view::npos &&
         certificate.substr(at) ==
             std::string(signed_by) + signature(public_text, certificate.substr(0, at)) + "\n";
}

}  // namespace quick

namespace acme {

namespace {

constexpr std::string_view head = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view tail = "-----END CERTIFICATE-----\n";

tl::unexpected<Error> refuse_chain(const std::string& why) {
  return fail(ErrorKind::transient, "BAD_CERTIFICATE", "the CA issued a certificate that " + why);
}

}  // namespace

std::string fingerprint_sha256(std::string_view der) {
  const std::uint64_t print = quick::hash(der, 0);
  std::string text;
  for (std::uint64_t part = 0; part < 4; ++part) text += quick::hex(quick::mix(print + part));
  return text;
}

Result<Certificate> parse_certificate(std::string_view der) {
  const bool whole = der.starts_with("serial=") && der.ends_with('\n') &&
                     der.find("\nsignature=") != std::string_view::npos;
  if (!whole) return fail(ErrorKind::transient, "BAD_CERTIFICATE", "not an X.509 certificate");
  Certificate certificate;
  certificate.der = der;
  certificate.serial_number = quick::field(der, "serial");
  certificate.subject_common_name = quick::field(der, "subject");
  certificate.subject = "CN=" + certificate.subject_common_name;
  certificate.issuer_common_name = quick::field(der, "issuer");
  certificate.issuer = "CN=" + certificate.issuer_common_name;
  certificate.subject_alternative_names = quick::read_names(quick::field(der, "names"));
  std::sort(certificate.subject_alternative_names.begin(),
            certificate.subject_alternative_names.end());
  certificate.not_before = quick::read_time(quick::field(der, "from"));
  certificate.not_after = quick::read_time(quick::field(der, "until"));
  certificate.fingerprint_sha256 = fingerprint_sha256(der);
  certificate.public_key_der = quick::field(der, "key");
  certificate.authority_key_identifier =
      base64url_decode(quick::field(der, "authority")).value_or("");
  std::string lists = quick::field(der, "lists");
  if (!lists.empty()) certificate.revocation_list_urls.push_back(std::move(lists));
  return certificate;
}

Result<std::vector<Certificate>> parse_pem_chain(std::string_view pem) {
  std::vector<Certificate> chain;
  while (pem.starts_with(head)) {
    const std::size_t end = pem.find(tail);
    if (end == std::string_view::npos) break;
    auto certificate = parse_certificate(pem.substr(head.size(), end - head.size()));
    if (!certificate) return fail(certificate.error());
    chain.push_back(std::move(*certificate));
    pem.remove_prefix(end + tail.size());
  }
  if (chain.empty() || !pem.empty())
    return fail(ErrorKind::transient, "BAD_CERTIFICATE", "not a certificate chain in PEM form");
  return chain;
}

std::string to_pem(const Certificate& certificate) {
  return std::string(head) + certificate.der + std::string(tail);
}

// The quick keys have none.
std::string weakness_of(const Certificate&) {
  return {};
}

bool names(const Certificate& certificate, const Identifier& identifier) {
  const auto& all = certificate.subject_alternative_names;
  return std::any_of(all.begin(), all.end(), [&](const Identifier& name) {
    return name.type == identifier.type && name_covers(name.value, identifier.value);
  });
}

Result<void> check_issued_chain(const std::vector<Certificate>& chain,
                                const std::string& public_key_der,
                                const std::vector<Identifier>& identifiers, Time now) {
  if (chain.empty()) return refuse_chain("is missing");
  const Certificate& leaf = chain.front();
  if (leaf.public_key_der != public_key_der)
    return refuse_chain("does not carry the key that was asked for");
  for (const Identifier& each : identifiers) {
    const auto& present = leaf.subject_alternative_names;
    if (std::find(present.begin(), present.end(), each) == present.end())
      return refuse_chain("does not name " + each.value);
  }
  if (leaf.not_after <= now)
    return refuse_chain("had expired by " + format_rfc3339(leaf.not_after));
  if (leaf.not_before > now + std::chrono::hours(1))
    return refuse_chain("is not valid before " + format_rfc3339(leaf.not_before));
  return check_signatures(chain);
}

Result<void> check_signatures(const std::vector<Certificate>& chain) {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i)
    if (!quick::is_signed_with(chain[i].der, chain[i + 1].public_key_der))
      return refuse_chain("comes with a broken chain");
  return {};
}

Result<void> check_issuer_present(const std::vector<Certificate>& chain, Time) {
  if (chain.empty()) return refuse_chain("is missing");
  if (chain.size() == 1) return refuse_chain("comes without its issuer");
  return {};
}

Result<void> check_issuer(const std::vector<Certificate>& chain, std::string_view anchors_pem,
                          const std::string& which, Time now) {
  if (chain.empty()) return refuse_chain("is missing");
  const auto anchors = parse_pem_chain(anchors_pem);
  if (!anchors) return fail(anchors.error());
  const Time when = std::max(now, chain.front().not_before);
  for (const Certificate& each : chain) {
    if (when < each.not_before || each.not_after <= when) break;
    for (const Certificate& anchor : *anchors)
      if (quick::is_signed_with(each.der, anchor.public_key_der)) return {};
  }
  return refuse_chain("no anchor " + which + " stands behind");
}

Result<std::string> make_signing_request(const PrivateKey& key,
                                         const std::vector<Identifier>& identifiers, bool) {
  return "request\nnames=" + quick::write_names(identifiers) + "\nkey=" + key.public_key_der() +
         "\n";
}

}  // namespace acme

}  // namespace nolapse
