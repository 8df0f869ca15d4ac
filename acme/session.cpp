#include "acme/session.h"

#include <algorithm>

#include "acme/json_read.h"
#include "acme/renewal_info.h"

namespace nolapse::acme {
namespace {

using nlohmann::json;

// A CA that refuses this many fresh nonces in a row has a fault of its own.
constexpr int bad_nonce_limit = 10;
constexpr std::size_t nonce_pool_limit = 16;

const char* const existing_only = R"({"onlyReturnExisting":true})";

// [RFC 8555 §6.5.1]; the length is the CA's business.
bool is_valid_nonce(std::string_view nonce) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !nonce.empty() && nonce.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

Session::Session(std::string directory_url, PrivateKey account_key, AccountTerms terms)
    : directory_url_(std::move(directory_url)),
      account_key_(std::move(account_key)),
      terms_(std::move(terms)),
      thumbprint_(account_key_ ? jwk_thumbprint(account_key_) : std::string()) {}

void Session::replace_key(PrivateKey key) {
  account_key_ = std::move(key);
  thumbprint_ = jwk_thumbprint(account_key_);
}

Result<HttpRequest> Session::next(Call& call) {
  if (!directory_ || call.target == Call::Target::directory) {
    call.awaiting = Call::Awaiting::directory;
    return HttpRequest{"GET", directory_url_, {}, {}};
  }
  if (call.target == Call::Target::renewal_info) {
    if (directory_->renewal_info.empty() || call.url.empty()) {
      return fail(ErrorKind::resync, "NO_RENEWAL_INFO", "the CA offers no renewal information");
    }
    // Unauthenticated: no nonce, no account. [RFC 9773 §4.1]
    call.awaiting = Call::Awaiting::reply;
    return HttpRequest{"GET", renewal_info_url(directory_->renewal_info, call.url), {}, {}};
  }
  const bool by_key =
      call.target == Call::Target::look_up || (call.target == Call::Target::revocation && call.key);
  const bool account_first =
      !by_key && (account_url_.empty() || call.target == Call::Target::account);
  const auto url = url_of(call);
  if (!url) return fail(url.error());
  if (nonces_.empty()) {
    call.awaiting = Call::Awaiting::nonce;
    return HttpRequest{"HEAD", directory_->new_nonce, {}, {}};
  }
  if (account_first) {
    call.awaiting = Call::Awaiting::account;
    return new_account_request();
  }
  const auto payload = payload_of(call, *url);
  if (!payload) return fail(payload.error());
  call.awaiting = Call::Awaiting::reply;
  return signed_request(*url, *payload, call.accept, by_key ? &call.key : nullptr);
}

Result<std::string> Session::url_of(const Call& call) const {
  const auto offered = [](const std::string& url, const char* what) -> Result<std::string> {
    if (!url.empty()) return url;
    return fail(ErrorKind::input, "NOT_OFFERED", std::string("the CA's directory has no ") + what);
  };
  switch (call.target) {
    case Call::Target::new_order:
      return directory_->new_order;
    case Call::Target::own_account:
      return account_url_;
    case Call::Target::look_up:
      return directory_->new_account;
    case Call::Target::key_change:
      return offered(directory_->key_change, "keyChange");
    case Call::Target::revocation:
      return offered(directory_->revoke_cert, "revokeCert");
    default:
      return call.url;
  }
}

// A key change is a JWS in a JWS: both keys agree to it. The inner one has the outer one's URL and
// no nonce. [RFC 8555 §7.3.5]
Result<std::string> Session::payload_of(const Call& call, const std::string& url) const {
  if (call.target == Call::Target::look_up) return existing_only;
  if (call.target != Call::Target::key_change) return call.payload;
  const json change{{"account", account_url_}, {"oldKey", public_jwk(account_key_)}};
  return sign_jws(call.key, json{{"jwk", public_jwk(call.key)}, {"url", url}}, dump(change));
}

Result<HttpRequest> Session::new_account_request() {
  if (only_return_existing_) {
    return signed_request(directory_->new_account, existing_only, {}, &account_key_);
  }
  if (!terms_.terms_of_service_agreed) {
    return fail(ErrorKind::input, "TERMS_NOT_AGREED",
                "the CA's terms of service are not agreed to; read " +
                    directory_->terms_of_service + " and set terms_of_service_agreed = true");
  }
  if (directory_->external_account_required && terms_.eab_key_id.empty()) {
    return fail(ErrorKind::input, "EAB_REQUIRED",
                "the CA requires an external account binding; get a key id and an HMAC key from it "
                "and set eab_key_id and eab_hmac_key_file");
  }
  agreed_terms_ = directory_->terms_of_service;
  json account{{"termsOfServiceAgreed", true}};
  if (!terms_.contact.empty()) account["contact"] = terms_.contact;
  if (!terms_.eab_key_id.empty()) {
    account["externalAccountBinding"] = external_account_binding(
        account_key_, terms_.eab_key_id, terms_.eab_mac_key, directory_->new_account);
  }
  return signed_request(directory_->new_account, dump(account), {}, &account_key_);
}

Result<HttpRequest> Session::signed_request(const std::string& url, std::string_view payload,
                                            const std::string& accept, const PrivateKey* with_jwk) {
  json header{{"nonce", nonces_.back()}, {"url", url}};
  nonces_.pop_back();
  const PrivateKey& key = with_jwk != nullptr ? *with_jwk : account_key_;
  if (with_jwk != nullptr) {
    header["jwk"] = public_jwk(key);
  } else {
    header["kid"] = account_url_;
  }
  auto body = sign_jws(key, std::move(header), payload);
  if (!body) return fail(body.error());
  HttpRequest request{"POST", url, {{"Content-Type", "application/jose+json"}}, std::move(*body)};
  if (!accept.empty()) request.headers.push_back({"Accept", accept});
  return request;
}

bool Session::keep_nonce(const HttpResponse& response) {
  for (const std::string& nonce : response.header_values("Replay-Nonce")) {
    if (!is_valid_nonce(nonce)) continue;
    if (nonces_.size() == nonce_pool_limit) nonces_.erase(nonces_.begin());
    nonces_.push_back(nonce);
    return true;
  }
  return false;
}

std::optional<Result<HttpResponse>> Session::receive(Call& call, const HttpResponse& response,
                                                     Time now) {
  const bool fresh_nonce = keep_nonce(response);
  switch (call.awaiting) {
    case Call::Awaiting::nothing:
      break;
    case Call::Awaiting::directory: {
      if (!response.ok()) return fail(response_error(response, "reading the directory", now));
      auto directory = parse_directory(response.body);
      if (!directory) return fail(directory.error());
      directory_ = std::move(*directory);
      if (call.target == Call::Target::directory) return response;
      return {};
    }
    case Call::Awaiting::nonce:
      if (!response.ok()) return fail(response_error(response, "getting a nonce", now));
      if (nonces_.empty()) {
        return fail(ErrorKind::transient, "NO_NONCE", "the CA answered newNonce without a nonce");
      }
      return {};
    case Call::Awaiting::account:
    case Call::Awaiting::reply:
      return receive_reply(call, response, fresh_nonce, now);
  }
  return fail(ErrorKind::transient, "UNEXPECTED_REPLY", "a reply came that nobody asked for");
}

std::optional<Result<HttpResponse>> Session::receive_reply(Call& call, const HttpResponse& response,
                                                           bool fresh_nonce, Time now) {
  const bool account_call = call.awaiting == Call::Awaiting::account;
  if (response.ok()) {
    if (!account_call) return response;
    account_url_ = response.header("Location");
    if (account_url_.empty()) {
      return fail(ErrorKind::transient, "BAD_ACCOUNT", "the CA sent an account without its URL");
    }
    if (call.target == Call::Target::account) return response;
    return {};
  }
  const Problem problem = parse_problem(response);
  if (problem.type == "badNonce" && ++call.bad_nonce_tries < bad_nonce_limit) {
    // The retry must use the nonce of this answer, or a new one; the others are as old as the
    // refused one was. [RFC 8555 §6.5]
    nonces_.erase(nonces_.begin(), nonces_.end() - (fresh_nonce ? 1 : 0));
    return {};
  }
  std::string context = call.context;
  if (account_call && call.target != Call::Target::account) context = "creating the account";
  return fail(response_error(response, context, now));
}

}  // namespace nolapse::acme
