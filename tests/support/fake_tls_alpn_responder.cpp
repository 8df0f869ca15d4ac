#include "tests/support/fake_tls_alpn_responder.h"

#include <algorithm>

#include "acme/tls_alpn_certificate.h"

namespace nolapse {

Result<void> FakeTlsAlpnResponder::serve(const std::string& listen, const std::string& server_name,
                                         const std::string& certificate_der,
                                         const acme::PrivateKey&) {
  const auto holder = occupied_.find(listen);
  if (holder != occupied_.end())
    return fail(ErrorKind::local, "PORT_IN_USE",
                "cannot listen on " + listen + ": in use by " + holder->second);
  served_.push_back({listen, server_name, certificate_der});
  return {};
}

unsigned FakeTlsAlpnResponder::withdraw(const std::string& listen, const std::string& server_name,
                                        const std::string& certificate_der) {
  const auto found = std::find_if(served_.begin(), served_.end(), [&](const Served& served) {
    return served.listen == listen && served.server_name == server_name &&
           served.certificate_der == certificate_der;
  });
  if (found == served_.end()) return 0;
  const unsigned shown = found->shown;
  served_.erase(found);
  return shown;
}

std::optional<std::string> FakeTlsAlpnResponder::show(const std::string& server_name) {
  const auto newest = std::find_if(served_.rbegin(), served_.rend(), [&](const Served& served) {
    return served.server_name == server_name;
  });
  if (newest == served_.rend()) return std::nullopt;
  ++newest->shown;
  return newest->certificate_der;
}

std::optional<ValidationFailure> FakeTlsAlpnResponder::validate(const ValidationRequest& request) {
  const auto certificate = show(acme::tls_alpn_server_name(request.identifier));
  if (!certificate)
    return ValidationFailure{"connection", request.identifier.value + ": connection refused"};
  if (!acme::proves_by_tls_alpn(*certificate, request.identifier, request.key_authorization))
    return ValidationFailure{"unauthorized", request.identifier.value + ": wrong certificate"};
  return std::nullopt;
}

}  // namespace nolapse
