#include "acme/certificate_status.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "acme/x509_openssl.h"

namespace nolapse::acme {
namespace {

using RequestPointer = std::unique_ptr<OCSP_REQUEST, decltype(&OCSP_REQUEST_free)>;
using ResponsePointer = std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)>;
using BasicPointer = std::unique_ptr<OCSP_BASICRESP, decltype(&OCSP_BASICRESP_free)>;
using IdPointer = std::unique_ptr<OCSP_CERTID, decltype(&OCSP_CERTID_free)>;
using StorePointer = std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)>;

constexpr auto clock_difference = std::chrono::hours(1);

tl::unexpected<Error> refuse(const std::string& why) {
  ERR_clear_error();
  return fail(ErrorKind::transient, "BAD_STATUS_RESPONSE",
              "the CA's responder gave an answer that " + why);
}

IdPointer id_of(const X509Pointer& certificate, const X509Pointer& issuer) {
  // SHA-1 names the issuer, and protects nothing; responders know no other. [RFC 5019 §2.1.1]
  return {OCSP_cert_to_id(EVP_sha1(), certificate.get(), issuer.get()), OCSP_CERTID_free};
}

// By the issuer itself, or by whom it has made a certificate for that.
bool is_signed(OCSP_BASICRESP* response, const X509Pointer& issuer, Time now) {
  const StorePointer store(X509_STORE_new(), X509_STORE_free);
  X509_STORE_add_cert(store.get(), issuer.get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()),
                             std::chrono::system_clock::to_time_t(now));
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> known(
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
  sk_X509_push(known.get(), issuer.get());
  const bool good = OCSP_basic_verify(response, known.get(), store.get(), 0) == 1;
  ERR_clear_error();
  return good;
}

bool is_in_force(const ASN1_GENERALIZEDTIME* from, const ASN1_GENERALIZEDTIME* until, Time now) {
  const auto begin = read_time(from);
  if (!begin || *begin > now + clock_difference) return false;
  if (until == nullptr) return true;
  const auto end = read_time(until);
  return end && now <= *end + clock_difference;
}

}  // namespace

std::string make_status_request(const Certificate& certificate, const Certificate& issuer) {
  const X509Pointer subject = decode_certificate(certificate.der);
  const X509Pointer authority = decode_certificate(issuer.der);
  if (subject == nullptr || authority == nullptr) return {};
  const RequestPointer request(OCSP_REQUEST_new(), OCSP_REQUEST_free);
  IdPointer id = id_of(subject, authority);
  if (OCSP_request_add0_id(request.get(), id.get()) == nullptr) return {};
  static_cast<void>(id.release());  // the request's now
  unsigned char* data = nullptr;
  const int size = i2d_OCSP_REQUEST(request.get(), &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return der;
}

Result<std::optional<Revocation>> parse_status_response(std::string_view der,
                                                        const Certificate& certificate,
                                                        const Certificate& issuer, Time now) {
  const X509Pointer subject = decode_certificate(certificate.der);
  const X509Pointer authority = decode_certificate(issuer.der);
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const ResponsePointer response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(der.size())),
                                 OCSP_RESPONSE_free);
  if (subject == nullptr || authority == nullptr || response == nullptr) {
    return refuse("cannot be read");
  }
  if (const int status = OCSP_response_status(response.get());
      status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return refuse(std::string("says ") + OCSP_response_status_str(status));
  }
  const BasicPointer basic(OCSP_response_get1_basic(response.get()), OCSP_BASICRESP_free);
  if (basic == nullptr) return refuse("cannot be read");
  if (!is_signed(basic.get(), authority, now)) return refuse("is not signed by the issuer");
  int status = 0;
  int reason = 0;
  ASN1_GENERALIZEDTIME* revoked_at = nullptr;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  const IdPointer id = id_of(subject, authority);
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, &reason, &revoked_at, &from, &until) !=
      1) {
    return refuse("is about another certificate");
  }
  if (!is_in_force(from, until, now)) return refuse("is not in force now");
  if (status == V_OCSP_CERTSTATUS_GOOD) return std::optional<Revocation>();
  if (status != V_OCSP_CERTSTATUS_REVOKED) return refuse("does not know the certificate");
  return std::optional(Revocation{read_time(revoked_at).value_or(Time{}),
                                  name_of_revocation_reason(reason < 0 ? 0 : reason)});
}

}  // namespace nolapse::acme
