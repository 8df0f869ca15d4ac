#include "acme/x509_issuer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <chrono>

#include "acme/x509_authority.h"
#include "acme/x509_openssl.h"

namespace nolapse::acme {

namespace {

using StorePointer = std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)>;
using ContextPointer = std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)>;

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::transient, "BAD_CERTIFICATE", "the CA issued a certificate that " + why);
}

StorePointer read_anchors(std::string_view pem) {
  StorePointer store(X509_STORE_new(), X509_STORE_free);
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  while (const X509Pointer anchor{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                  X509_free}) {
    X509_STORE_add_cert(store.get(), anchor.get());
  }
  ERR_clear_error();
  return store;
}

Time judged_at(const std::vector<Certificate>& chain, Time now) {
  return std::max(now, chain.front().not_before);
}

}  // namespace

Result<void> check_issuer_present(const std::vector<Certificate>& chain, Time now) {
  if (chain.empty()) return refuse("is missing");
  const Certificate& leaf = chain.front();
  if (leaf.issuer == leaf.subject) {
    return refuse(
        "is signed by itself: no CA stands behind it; if it is to be one all the same, "
        "name its file as issuer_roots");
  }
  if (chain.size() == 1) {
    return refuse("comes without its issuer \"" + leaf.issuer +
                  "\", which clients need; if that is a root, name its file as issuer_roots");
  }
  if (!is_authority(chain[1].der)) {
    return refuse("is signed by \"" + chain[1].subject + "\", which is not a CA");
  }
  if (chain[1].not_after <= judged_at(chain, now)) {
    return refuse("is signed by \"" + chain[1].subject + "\", which expired at " +
                  format_rfc3339(chain[1].not_after));
  }
  return {};
}

Result<void> check_issuer(const std::vector<Certificate>& chain, std::string_view anchors_pem,
                          const std::string& which, Time now) {
  if (chain.empty()) return refuse("is missing");
  const Time when = judged_at(chain, now);
  const StorePointer anchors = read_anchors(anchors_pem);
  std::vector<X509Pointer> owners;
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> others(
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
  for (const Certificate& each : chain) {
    owners.push_back(decode_certificate(each.der));
    sk_X509_push(others.get(), owners.back().get());
  }
  const ContextPointer context(X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), anchors.get(), owners.front().get(), others.get());
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(when));
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  const auto depth = static_cast<std::size_t>(X509_STORE_CTX_get_error_depth(context.get()));
  ERR_clear_error();
  if (good) return {};
  return refuse("no anchor " + which +
                " stands behind: " + std::string(X509_verify_cert_error_string(error)) +
                " (issuer: \"" + chain[std::min(depth, chain.size() - 1)].issuer +
                "\"); if the CA has a new root, name it in issuer_roots");
}

}  // namespace nolapse::acme
