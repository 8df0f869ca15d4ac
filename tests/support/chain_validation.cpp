#include "tests/support/chain_validation.h"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <map>
#include <memory>

#include "acme/identifier.h"

namespace nolapse {

namespace {

using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

CertificatePtr parse_der(const std::string& der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  return {d2i_X509(nullptr, &data, static_cast<long>(der.size())), X509_free};
}

// The same few anchors are behind all chains: each is decoded once.
X509* anchor_of(const std::string& der) {
  static std::map<std::string, CertificatePtr> known;
  auto found = known.find(der);
  if (found == known.end()) found = known.emplace(der, parse_der(der)).first;
  return found->second.get();
}

void push_all(STACK_OF(X509) * stack, const std::vector<CertificatePtr>& certificates) {
  for (const auto& each : certificates) sk_X509_push(stack, each.get());
}

}  // namespace

std::string validate_chain(const std::vector<std::string>& chain,
                           const std::vector<std::string>& anchors, const std::string& server_name,
                           acme::Time now) {
  std::vector<CertificatePtr> served;
  for (const std::string& der : chain) served.push_back(parse_der(der));
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      X509_STORE_free);
  for (const std::string& der : anchors) X509_STORE_add_cert(store.get(), anchor_of(der));
  const auto free_stack = [](STACK_OF(X509) * stack) { sk_X509_free(stack); };
  const std::unique_ptr<STACK_OF(X509), decltype(free_stack)> others(sk_X509_new_null(),
                                                                     free_stack);
  push_all(others.get(), served);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(
      X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), served.front().get(), others.get());
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  X509_VERIFY_PARAM_set_time(parameters, seconds.time_since_epoch().count());
  if (acme::canonical_address(server_name).empty()) {
    X509_VERIFY_PARAM_set1_host(parameters, server_name.c_str(), 0);
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, server_name.c_str());
  }
  if (X509_verify_cert(context.get()) == 1) return "";
  return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

}  // namespace nolapse
