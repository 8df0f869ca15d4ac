// The fake CA's authorizations and challenges; validation comes some time after it was asked for.
// [RFC 8555 §7.5, §8]
#include "acme/challenge_response.h"
#include "tests/support/fake_ca.h"

namespace nolapse {

using acme::HttpResponse;
using nlohmann::json;

void FakeCa::add_challenge(CaAuthorization& authorization, const std::string& type) {
  CaChallenge challenge;
  challenge.id = new_id();
  challenge.authorization = authorization.id;
  challenge.type = type;
  challenge.token = new_token();
  authorization.challenges.push_back(challenge.id);
  challenges_[challenge.id] = std::move(challenge);
}

json FakeCa::challenge_json(const CaChallenge& challenge) const {
  json document = {{"type", challenge.type},
                   {"url", url("challenge", challenge.id)},
                   {"status", challenge.status}};
  if (challenge.type == "dns-persist-01") {  // it has no token
    const std::string& account = authorizations_.at(challenge.authorization).account;
    document["issuer-domain-names"] = json::array({"ca.test"});
    document["accounturi"] = url("account", account);
  } else {
    document["token"] = challenge.token;
  }
  if (challenge.validated) document["validated"] = acme::format_rfc3339(*challenge.validated);
  if (!challenge.error.is_null()) document["error"] = challenge.error;
  return document;
}

FakeCa::Reply FakeCa::authorization(const Request& request) {
  const auto found = authorizations_.find(request.id);
  if (found == authorizations_.end()) return refuse(404, "malformed", "no such authorization");
  CaAuthorization& authorization = found->second;
  if (authorization.account != request.account)
    return refuse(403, "unauthorized", "another account's authorization");
  if (text_member(request.payload, "status") == "deactivated") {
    // As Boulder: giving up a pending one is a failed one.
    if (authorization.status == "pending") {
      ++counters_.failed_validations;
      count_towards_limit(failures_of(authorization.account, authorization.ordered_name()),
                          request.now);
    }
    authorization.status = "deactivated";
  }
  if (authorization.expires <= request.now && authorization.status == "valid")
    authorization.status = "expired";
  if (authorization.expires <= request.now && authorization.status == "pending")
    authorization.status = "invalid";
  json document = {
      {"status", authorization.status},
      {"expires", acme::format_rfc3339(authorization.expires)},
      {"identifier",
       {{"type", authorization.identifier.type}, {"value", authorization.identifier.value}}},
      {"challenges", json::array()}};
  if (authorization.wildcard) document["wildcard"] = true;
  for (const std::string& id : authorization.challenges) {
    const CaChallenge& challenge = challenges_.at(id);
    // Once one was tried the others are of no interest. [RFC 8555 §7.1.4]
    if (authorization.status == "pending" || challenge.status != "pending")
      document["challenges"].push_back(challenge_json(challenge));
  }
  HttpResponse response{200, {{"Content-Type", "application/json"}}, document.dump()};
  if (authorization.status == "pending" && settings.retry_after > Duration(0))
    response.headers.push_back(retry_after(request.now + settings.retry_after, request.now));
  return response;
}

FakeCa::Reply FakeCa::challenge(const Request& request) {
  const auto found = challenges_.find(request.id);
  if (found == challenges_.end()) return refuse(404, "malformed", "no such challenge");
  CaChallenge& challenge = found->second;
  const CaAuthorization& authorization = authorizations_.at(challenge.authorization);
  if (authorization.account != request.account)
    return refuse(403, "unauthorized", "another account's challenge");
  if (!request.payload.is_null() && challenge.status == "pending") {
    if (authorization.status != "pending")
      return refuse(400, "malformed", "the authorization is " + authorization.status);
    if (authorization.expires <= request.now)
      return refuse(400, "malformed", "the authorization has expired");
    challenge.status = "processing";
    challenge.validate_at = request.now + settings.validation_delay;
    plan(*challenge.validate_at, Task::validate, challenge.id);
  }
  HttpResponse response{
      200, {{"Content-Type", "application/json"}}, challenge_json(challenge).dump()};
  response.headers.push_back(
      {"Link", "<" + url("authorization", authorization.id) + ">;rel=\"up\""});
  if (challenge.status == "processing" && settings.retry_after > Duration(0))
    response.headers.push_back(retry_after(request.now + settings.retry_after, request.now));
  return response;
}

void FakeCa::validate(CaChallenge& challenge) {
  const Time at = *challenge.validate_at;
  challenge.validate_at.reset();
  CaAuthorization& authorization = authorizations_.at(challenge.authorization);
  if (authorization.status != "pending") return;
  const std::string& thumbprint = accounts_.at(authorization.account).thumbprint;
  std::optional<ValidationFailure> failure = ValidationFailure{"serverInternal", "no validator"};
  if (validator_)
    failure = validator_({authorization.identifier, challenge.type, challenge.token,
                          acme::key_authorization(challenge.token, thumbprint),
                          authorization.wildcard, url("account", authorization.account)});
  if (!failure) {
    challenge.status = "valid";
    challenge.validated = at;
    authorization.status = "valid";
    authorization.expires = at + settings.authorization_lifetime;
  } else {
    challenge.status = "invalid";
    challenge.error = problem_json({403, failure->type, failure->detail});
    authorization.status = "invalid";
    ++counters_.failed_validations;
    count_towards_limit(failures_of(authorization.account, authorization.ordered_name()), at);
  }
  refresh_open_orders(at);
}

}  // namespace nolapse
