// Revocation lists through OpenSSL: the list is checked before anything of it is believed.
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "acme/base64url.h"
#include "acme/revocation_list.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using CrlPointer = std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)>;

tl::unexpected<Error> refuse_list(const std::string& why) {
  return fail(ErrorKind::transient, "BAD_REVOCATION_LIST", "the revocation list " + why);
}

CrlPointer decode_list(std::string_view body) {
  CrlPointer list(nullptr, X509_CRL_free);
  if (body.starts_with("-----BEGIN")) {
    const Bio bio(BIO_new_mem_buf(body.data(), static_cast<int>(body.size())), BIO_free);
    list.reset(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    return list;
  }
  const auto* data = reinterpret_cast<const unsigned char*>(body.data());
  const unsigned char* const end = data + body.size();
  list.reset(d2i_X509_CRL(nullptr, &data, static_cast<long>(body.size())));
  if (data != end) list.reset();
  return list;
}

// Empty: the issuer has signed it, and may.
std::string fault_of_signature(X509_CRL* list, X509* issuer) {
  if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(issuer)) != 0) {
    return "is another CA's";
  }
  if ((X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0) {
    return "comes from a CA that may not sign any";
  }
  if (X509_CRL_verify(list, X509_get0_pubkey(issuer)) != 1) return "is not signed by the CA";
  return {};
}

// Does it name this place, or none? [RFC 5280 §6.3.3 b 2 i]
bool is_about(const DIST_POINT_NAME* place, std::string_view url) {
  if (place == nullptr) return true;
  if (place->type != 0) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(place->name.fullname); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(place->name.fullname, i);
    if (name->type == GEN_URI && octets(name->d.uniformResourceIdentifier) == url) return true;
  }
  return false;
}

// Empty: it is a complete list about the server certificates of its issuer. [RFC 5280 §5.2]
std::string fault_of_scope(X509_CRL* list, std::string_view url) {
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(list, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    // That of a list that says only what changed is one of them.
    if (X509_EXTENSION_get_critical(extension) == 1 && kind != NID_issuing_distribution_point) {
      return "has a critical extension that is not understood";
    }
  }
  int found = 0;
  const std::unique_ptr<ISSUING_DIST_POINT, decltype(&ISSUING_DIST_POINT_free)> scope(
      static_cast<ISSUING_DIST_POINT*>(
          X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &found, nullptr)),
      ISSUING_DIST_POINT_free);
  if (scope == nullptr) return found == -1 ? "" : "has a scope that cannot be read";
  if (scope->onlyCA > 0 || scope->onlyattr > 0) return "is not about server certificates";
  if (scope->indirectCRL > 0) return "is about several CAs";
  if (!is_about(scope->distpoint, url)) return "is for another place";
  return {};
}

std::string fault_of_time(X509_CRL* list, Time now) {
  const auto from = read_time(X509_CRL_get0_lastUpdate(list));
  const auto until = read_time(X509_CRL_get0_nextUpdate(list));
  if (!from || (X509_CRL_get0_nextUpdate(list) != nullptr && !until)) return "has no valid date";
  if (*from > now + std::chrono::hours(1)) {
    return "is not in force before " + format_rfc3339(*from) + "; is this machine's clock right?";
  }
  if (until && *until < now) {
    return "is out of date since " + format_rfc3339(*until) + "; is this machine's clock right?";
  }
  return {};
}

std::vector<RevocationList::Entry> read_entries(X509_CRL* list) {
  constexpr long remove_from_list = 8;
  std::vector<RevocationList::Entry> entries;
  STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(list);
  entries.reserve(static_cast<std::size_t>(std::max(sk_X509_REVOKED_num(revoked), 0)));
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    const X509_REVOKED* each = sk_X509_REVOKED_value(revoked, i);
    const auto serial = parse_serial(hex_encode(octets(X509_REVOKED_get0_serialNumber(each))));
    const std::unique_ptr<ASN1_ENUMERATED, decltype(&ASN1_ENUMERATED_free)> code(
        static_cast<ASN1_ENUMERATED*>(
            X509_REVOKED_get_ext_d2i(each, NID_crl_reason, nullptr, nullptr)),
        ASN1_ENUMERATED_free);
    const long reason = code == nullptr ? 0 : ASN1_ENUMERATED_get(code.get());
    if (!serial || reason == remove_from_list) continue;
    entries.push_back({*serial, static_cast<std::uint8_t>(std::clamp(reason, 0L, 255L)),
                       read_time(X509_REVOKED_get0_revocationDate(each)).value_or(Time{})});
  }
  return entries;
}

}  // namespace

Result<RevocationList> parse_revocation_list(std::string_view body, const Certificate& issuer,
                                             std::string_view url, Time now) {
  if (body.size() > largest_revocation_list) return refuse_list("is too large");
  const CrlPointer list = decode_list(body);
  if (list == nullptr) return refuse_list("is none");
  const X509Pointer certificate = decode_certificate(issuer.der);
  if (certificate == nullptr) return refuse_list("has no issuer");
  std::string fault = fault_of_signature(list.get(), certificate.get());
  if (fault.empty()) fault = fault_of_scope(list.get(), url);
  if (fault.empty()) fault = fault_of_time(list.get(), now);
  if (!fault.empty()) return refuse_list(fault);
  return RevocationList(read_entries(list.get()), read_time(X509_CRL_get0_nextUpdate(list.get())));
}

}  // namespace nolapse::acme
