// Drives acme::Session and acme::Issuance against a FakeCa without a clock or a network: waiting
// moves the time. For tests of the protocol alone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "acme/issuance.h"
#include "tests/support/fake_ca.h"

namespace nolapse {

class IssuanceDriver {
 public:
  IssuanceDriver(FakeCa& authority, acme::PrivateKey account_key, Time start);

  // One call of the session, with all the exchanges it takes.
  Result<acme::HttpResponse> call(acme::Call call);
  // Sends one request as it is.
  Result<acme::HttpResponse> exchange(const acme::HttpRequest& request);
  // A whole order. `before_step` may end it by returning false, as a crash would.
  Result<std::vector<acme::Certificate>> issue(
      const acme::IssuanceRequest& request,
      const std::function<bool(const acme::IssuanceEffect&)>& before_effect = nullptr);

  acme::Session session;
  acme::IssuanceState state;  // of the last order, as saved before each effect
  std::vector<acme::PresentedChallenge> presented;  // what can be fetched just now
  Time now;

 private:
  FakeCa& ca_;
};

// An account key, certificate key and request for these names.
acme::PrivateKey make_test_key();
acme::IssuanceRequest issuance_request(const acme::Session& session,
                                       const std::vector<std::string>& names,
                                       const acme::PrivateKey& certificate_key);

}  // namespace nolapse
