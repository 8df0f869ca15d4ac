#include "acme/resources.h"

#include <algorithm>

namespace nolapse::acme {
namespace {

using nlohmann::json;

Identifier read_identifier(const json& object) {
  Identifier identifier{string_member(object, "type"), string_member(object, "value")};
  // CAs may echo a name in other case, or an address in another form.
  auto canonical = parse_identifier(identifier.value);
  if (canonical) identifier.value = canonical->value;
  return identifier;
}

std::optional<Problem> read_error(const json& object) {
  const json& error = object_member(object, "error");
  if (error.empty()) return {};
  return parse_problem(error);
}

}  // namespace

Result<Directory> parse_directory(std::string_view body) {
  const auto document = parse_object(body, "the CA's directory");
  if (!document) return fail(document.error());
  Directory directory;
  directory.new_nonce = string_member(*document, "newNonce");
  directory.new_account = string_member(*document, "newAccount");
  directory.new_order = string_member(*document, "newOrder");
  directory.revoke_cert = string_member(*document, "revokeCert");
  directory.key_change = string_member(*document, "keyChange");
  directory.renewal_info = string_member(*document, "renewalInfo");
  const json& meta = object_member(*document, "meta");
  directory.terms_of_service = printable(string_member(meta, "termsOfService"));
  directory.caa_identities = string_list_member(meta, "caaIdentities");
  directory.external_account_required = bool_member(meta, "externalAccountRequired");
  for (const auto& [name, description] : object_member(meta, "profiles").items()) {
    directory.profiles[name] = description.is_string() ? description.get<std::string>() : "";
  }
  directory.issuer_domain_names = string_list_member(meta, "issuerDomainNames");
  directory.account_hash_prefix = string_member(meta, "accountHashPrefix");
  if (directory.new_nonce.empty() || directory.new_account.empty() || directory.new_order.empty()) {
    return fail(ErrorKind::transient, "BAD_DIRECTORY",
                "the CA's directory lacks newNonce, newAccount or newOrder; is the configured URL "
                "an ACME directory?");
  }
  return directory;
}

Result<Order> parse_order(std::string_view body) {
  const auto document = parse_object(body, "the order");
  if (!document) return fail(document.error());
  Order order;
  order.status = string_member(*document, "status");
  for (const json& identifier : array_member(*document, "identifiers")) {
    order.identifiers.push_back(read_identifier(identifier));
  }
  std::sort(order.identifiers.begin(), order.identifiers.end());
  order.authorizations = string_list_member(*document, "authorizations");
  order.finalize = string_member(*document, "finalize");
  order.certificate = string_member(*document, "certificate");
  order.profile = string_member(*document, "profile");
  order.expires = time_member(*document, "expires");
  order.error = read_error(*document);
  if (order.status.empty()) {
    return fail(ErrorKind::transient, "BAD_ORDER", "the CA sent an order without a status");
  }
  return order;
}

Result<Authorization> parse_authorization(std::string_view body) {
  const auto document = parse_object(body, "the authorization");
  if (!document) return fail(document.error());
  Authorization authorization;
  authorization.identifier = read_identifier(object_member(*document, "identifier"));
  authorization.wildcard = bool_member(*document, "wildcard");
  authorization.status = string_member(*document, "status");
  authorization.expires = time_member(*document, "expires");
  for (const json& element : array_member(*document, "challenges")) {
    Challenge challenge;
    challenge.type = string_member(element, "type");
    challenge.url = string_member(element, "url");
    challenge.status = string_member(element, "status");
    challenge.token = string_member(element, "token");
    challenge.issuer_domain_names = string_list_member(element, "issuerDomainNames");
    if (challenge.issuer_domain_names.empty()) {  // before draft -02
      challenge.issuer_domain_names = string_list_member(element, "issuer-domain-names");
    }
    challenge.account_uri = string_member(element, "accounturi");
    challenge.error = read_error(element);
    authorization.challenges.push_back(std::move(challenge));
  }
  if (authorization.status.empty()) {
    return fail(bad_authorization("without a status"));
  }
  return authorization;
}

Error bad_authorization(const std::string& what) {
  return {
      ErrorKind::transient, "BAD_AUTHORIZATION", "the CA sent an authorization " + what, {}, {}};
}

}  // namespace nolapse::acme
