#include "acme/issuance_state.h"

#include "acme/challenge_response.h"
#include "acme/json_read.h"

namespace nolapse::acme {

using nlohmann::json;

json to_json(const IssuanceState& state) {
  json presented = json::array();
  for (const PresentedChallenge& challenge : state.presented) {
    json saved = {{"identifier", challenge.identifier.value},
                  {"identifier_type", challenge.identifier.type},
                  {"wildcard", challenge.wildcard},
                  {"type", challenge.type},
                  {"url", challenge.url},
                  {"token", challenge.token},
                  {"key_authorization", challenge.key_authorization},
                  {"label", challenge.label}};
    if (challenge.type == persist_type) {
      saved["issuers"] = challenge.persist.issuers;
      saved["account_uris"] = challenge.persist.account_uris;
    }
    presented.push_back(std::move(saved));
  }
  return {{"order_url", state.order_url}, {"presented", presented}};
}

Result<IssuanceState> parse_issuance_state(const json& document) {
  if (!document.is_object() || !document.contains("order_url")) {
    return fail(ErrorKind::local, "BAD_STATE", "not a saved issuance");
  }
  IssuanceState state;
  state.order_url = string_member(document, "order_url");
  for (const json& element : array_member(document, "presented")) {
    PresentedChallenge challenge;
    challenge.identifier = {string_member(element, "identifier_type"),
                            string_member(element, "identifier")};
    challenge.wildcard = bool_member(element, "wildcard");
    challenge.type = string_member(element, "type");
    challenge.url = string_member(element, "url");
    challenge.token = string_member(element, "token");
    challenge.key_authorization = string_member(element, "key_authorization");
    challenge.label = string_member(element, "label");
    // A token becomes a path that is removed: one that names another file must not come back.
    if (!is_valid_token(challenge.type, challenge.token)) {
      return fail(ErrorKind::local, "BAD_STATE", "it holds a token that no CA gave");
    }
    if (challenge.type == persist_type) {
      challenge.persist = {string_list_member(element, "issuers"),
                           string_list_member(element, "account_uris"), challenge.wildcard};
      if (challenge.persist.issuers.empty() || challenge.persist.account_uris.empty()) {
        return fail(ErrorKind::local, "BAD_STATE", "it holds a record that no CA asked for");
      }
    }
    state.presented.push_back(std::move(challenge));
  }
  return state;
}

}  // namespace nolapse::acme
