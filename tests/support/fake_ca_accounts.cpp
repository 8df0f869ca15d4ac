// The fake CA's accounts: creation, look-up, update, external binding, key change.
// [RFC 8555 §7.3]
#include "acme/base64url.h"
#include "acme/json_read.h"
#include "tests/support/fake_ca.h"

namespace nolapse {

using acme::HttpResponse;
using nlohmann::json;

json FakeCa::account_json(const CaAccount& account) const {
  return {{"status", account.status},
          {"contact", account.contact},
          {"orders", url("account", account.id) + "/orders"}};
}

CaAccount* FakeCa::account_with_key(const std::string& thumbprint) {
  for (auto& [id, account] : accounts_)
    if (account.thumbprint == thumbprint) return &account;
  return nullptr;
}

namespace {

Answer<std::vector<std::string>> read_contact(const json& payload) {
  const auto contact = acme::string_list_member(payload, "contact");
  for (const std::string& each : contact) {
    if (!each.starts_with("mailto:"))
      return refuse(400, "unsupportedContact", "contact '" + each + "' is not mailto");
    if (each.find('@') == std::string::npos || each.find_first_of(",?") != std::string::npos)
      return refuse(400, "invalidContact", "contact '" + each + "' is no single address");
  }
  return contact;
}

HttpResponse json_reply(int status, const json& document, const std::string& location) {
  return {status, {{"Content-Type", "application/json"}, {"Location", location}}, document.dump()};
}

}  // namespace

FakeCa::Reply FakeCa::new_account(const Request& request) {
  const json& jwk = request.jws.header["jwk"];
  const std::string thumbprint = thumbprint_of(jwk);
  if (CaAccount* known = account_with_key(thumbprint)) {
    if (known->status != "valid")
      return refuse(403, "unauthorized", "the account is " + known->status);
    return json_reply(200, account_json(*known), url("account", known->id));
  }
  if (acme::bool_member(request.payload, "onlyReturnExisting"))
    return refuse(400, "accountDoesNotExist", "no account has this key");
  if (settings.terms_of_service && !acme::bool_member(request.payload, "termsOfServiceAgreed"))
    return refuse(403, "userActionRequired", "the terms of service must be agreed to");
  auto contact = read_contact(request.payload);
  if (!contact) return refuse(contact.error());
  if (auto bound = check_external_binding(request); !bound) return refuse(bound.error());
  CaAccount account;
  account.id = new_id();
  account.jwk = jwk;
  account.thumbprint = thumbprint;
  account.key = request.key;
  account.contact = std::move(*contact);
  ++counters_.accounts_created;
  const std::string location = url("account", account.id);
  const HttpResponse reply = json_reply(201, account_json(account), location);
  accounts_[account.id] = std::move(account);
  return reply;
}

// [RFC 8555 §7.3.4]
Answer<void> FakeCa::check_external_binding(const Request& request) const {
  const json& binding = acme::object_member(request.payload, "externalAccountBinding");
  if (binding.empty()) {
    if (!settings.external_account_required) return {};
    return refuse(403, "externalAccountRequired", "new accounts need an external account binding");
  }
  auto inner = parse_jws(binding);
  if (!inner) return refuse(inner.error());
  if (inner->text("url") != request.http.url || inner->header.contains("nonce"))
    return refuse(400, "malformed", "the external account binding has a wrong header");
  const auto key = settings.external_account_keys.find(inner->text("kid"));
  if (key == settings.external_account_keys.end())
    return refuse(403, "unauthorized", "unknown key id of the external account binding");
  if (!verify_hs256(*inner, key->second))
    return refuse(403, "unauthorized", "the external account binding's MAC does not verify");
  if (json::parse(inner->payload, nullptr, false) != request.jws.header["jwk"])
    return refuse(400, "malformed", "the external account binding is for another key");
  return {};
}

FakeCa::Reply FakeCa::account(const Request& request) {
  if (request.id != request.account) return refuse(403, "unauthorized", "another account's URL");
  CaAccount& account = accounts_.at(request.account);
  if (request.payload.contains("contact")) {
    auto contact = read_contact(request.payload);
    if (!contact) return refuse(contact.error());
    account.contact = std::move(*contact);
  }
  if (text_member(request.payload, "status") == "deactivated") account.status = "deactivated";
  return json_reply(200, account_json(account), url("account", account.id));
}

// [RFC 8555 §7.3.5]
FakeCa::Reply FakeCa::key_change(const Request& request) {
  auto inner = parse_jws(request.payload);
  if (!inner) return refuse(inner.error());
  if (inner->text("url") != request.http.url || inner->header.contains("nonce") ||
      !inner->header.contains("jwk"))
    return refuse(400, "malformed", "the inner JWS has a wrong header");
  const json& jwk = inner->header["jwk"];
  auto key = parse_jwk(jwk);
  if (!key) return refuse(key.error());
  if (auto good = verify_signature(*inner, *key); !good) return refuse(good.error());
  CaAccount& account = accounts_.at(request.account);
  const json change = json::parse(inner->payload, nullptr, false);
  if (text_member(change, "account") != url("account", account.id) || !change.contains("oldKey") ||
      thumbprint_of(change["oldKey"]) != account.thumbprint)
    return refuse(400, "malformed", "the inner payload names another account or key");
  if (const CaAccount* other = account_with_key(thumbprint_of(jwk))) {
    Refusal conflict{409, "conflict", "the new key is in use"};
    conflict.location = url("account", other->id);
    return refuse(conflict);
  }
  account.jwk = jwk;
  account.thumbprint = thumbprint_of(jwk);
  account.key = std::move(*key);
  return json_reply(200, account_json(account), url("account", account.id));
}

}  // namespace nolapse
