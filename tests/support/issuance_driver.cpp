// The loop that an owner of Session and Issuance needs, at its smallest.
#include "tests/support/issuance_driver.h"

#include <algorithm>

namespace nolapse {

IssuanceDriver::IssuanceDriver(FakeCa& authority, acme::PrivateKey account_key, Time start)
    : session(authority.directory_url(), std::move(account_key), {{}, true, "", ""}),
      now(start),
      ca_(authority) {
  ca_.set_validator([this](const ValidationRequest& request) -> std::optional<ValidationFailure> {
    for (const acme::PresentedChallenge& each : presented)
      if (each.identifier == request.identifier &&
          each.key_authorization == request.key_authorization)
        return std::nullopt;
    return ValidationFailure{"connection", request.identifier.value + ": connection refused"};
  });
}

Result<acme::HttpResponse> IssuanceDriver::exchange(const acme::HttpRequest& request) {
  now += std::chrono::milliseconds(20);
  return ca_.handle(request, now);
}

Result<acme::HttpResponse> IssuanceDriver::call(acme::Call call) {
  while (true) {
    const auto request = session.next(call);
    if (!request) return fail(request.error());
    const auto response = exchange(*request);
    if (!response) return fail(response.error());
    if (auto done = session.receive(call, *response, now)) return *done;
  }
}

Result<std::vector<acme::Certificate>> IssuanceDriver::issue(
    const acme::IssuanceRequest& request,
    const std::function<bool(const acme::IssuanceEffect&)>& before_effect) {
  acme::Issuance issuance(request, state);
  acme::IssuanceEvent event = acme::event::Start{};
  while (true) {
    const acme::IssuanceEffect effect = issuance.step(event, now);
    state = issuance.state();
    if (before_effect && !before_effect(effect))
      return fail(ErrorKind::local, "CRASHED", "the test ended the process");
    if (const auto* finished = std::get_if<acme::effect::Finished>(&effect)) return finished->chain;
    if (const auto* failed = std::get_if<acme::effect::Failed>(&effect)) return fail(failed->error);
    if (const auto* send = std::get_if<acme::effect::Send>(&effect)) {
      event = acme::event::Replied{call(send->call)};
    } else if (const auto* present = std::get_if<acme::effect::Present>(&effect)) {
      presented = present->challenges;
      event = acme::event::Presented{Result<void>()};
    } else if (std::holds_alternative<acme::effect::CleanUp>(effect)) {
      presented.clear();
      event = acme::event::CleanedUp{};
    } else if (const auto* wait = std::get_if<acme::effect::Wait>(&effect)) {
      now += wait->duration;
      ca_.advance(now);
      event = acme::event::TimerFired{};
    }
  }
}

acme::PrivateKey make_test_key() {
  return acme::PrivateKey::generate(acme::KeyType::ecdsa_p256).value();
}

acme::IssuanceRequest issuance_request(const acme::Session& session,
                                       const std::vector<std::string>& names,
                                       const acme::PrivateKey& certificate_key) {
  acme::IssuanceRequest request;
  for (const std::string& name : names)
    request.identifiers.push_back(acme::parse_identifier(name).value());
  request.challenge_type = "http-01";
  request.thumbprint = session.thumbprint();
  request.signing_request =
      acme::make_signing_request(certificate_key, request.identifiers).value();
  return request;
}

}  // namespace nolapse
