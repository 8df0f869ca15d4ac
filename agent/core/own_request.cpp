#include "agent/core/own_request.h"

#include <algorithm>
#include <iterator>

namespace nolapse {
namespace {

using acme::Identifier;

std::string only_in(const std::vector<Identifier>& these, const std::vector<Identifier>& those) {
  std::vector<Identifier> rest;
  std::set_difference(these.begin(), these.end(), those.begin(), those.end(),
                      std::back_inserter(rest));
  return join(rest, ", ");
}

// Empty: they are the same.
std::string difference(const acme::SigningRequest& request, std::vector<Identifier> domains) {
  std::sort(domains.begin(), domains.end());
  const std::string more = only_in(request.identifiers, domains);
  const std::string fewer = only_in(domains, request.identifiers);
  std::string text;
  if (!more.empty()) text = "it names " + more + ", and domains does not";
  if (!fewer.empty()) {
    text += (text.empty() ? "" : "; ") + std::string("it does not name ") + fewer +
            ", and domains does";
  }
  return text;
}

}  // namespace

Result<acme::SigningRequest> read_own_request(const Files& files, const CertificateSpec& spec) {
  const auto pem = files.read(spec.csr_file);
  if (!pem) return fail(pem.error());
  auto request = acme::parse_signing_request(*pem);
  Error error;
  if (!request) {
    error = request.error();
  } else if (const std::string text = difference(*request, spec.domains); !text.empty()) {
    error = {ErrorKind::input, "BAD_SIGNING_REQUEST", text + "; make them the same", {}, {}};
  } else {
    return request;
  }
  error.message = spec.csr_file + ": " + error.message;
  return fail(std::move(error));
}

std::string own_public_key(const Files& files, const CertificateSpec& spec) {
  if (!spec.csr_file.empty()) {
    const auto request = read_own_request(files, spec);
    return request ? request->public_key_der : std::string();
  }
  if (spec.key_file.empty()) return {};
  const auto pem = files.read(spec.key_file);
  if (!pem) return {};
  const auto key = acme::PrivateKey::from_pem(*pem);
  return key ? key->public_key_der() : std::string();
}

}  // namespace nolapse
