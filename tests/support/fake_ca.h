// An honest RFC 8555 server as a value: a request and the time in, a response out. It checks what
// a real CA checks (signatures, nonces, URLs, keys, CSRs), and every refusal has its problem type.
//
// It performs no I/O and owns no clock. What it does later, validations and issuance, is done by
// advance(); whoever owns the CA calls that at next_due(). handle() does so first by itself.
// How it proves control is the validator's business. [RFC 8555, RFC 9773]
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "acme/http_message.h"
#include "acme/result.h"
#include "tests/support/fake_ca_settings.h"
#include "tests/support/fake_ca_state.h"
#include "tests/support/jws_verifier.h"
#include "tests/support/seeded_random.h"
#include "tests/support/test_issuer.h"

namespace nolapse {

struct ValidationRequest {
  acme::Identifier identifier;
  std::string type;
  std::string token;
  std::string key_authorization;
  bool wildcard = false;
  std::string account_url = {};
};

struct ValidationFailure {
  std::string type;  // "connection", "dns", "unauthorized", …
  std::string detail;
};

// Nothing: control is proved.
using Validator = std::function<std::optional<ValidationFailure>(const ValidationRequest&)>;

class FakeCa {
 public:
  struct Counters {
    int requests = 0;
    int bad_nonces = 0;
    int accounts_created = 0;
    int orders_created = 0;
    int failed_validations = 0;
    int certificates_issued = 0;
    int rate_limited = 0;
    std::map<CaEndpoint, int> by_endpoint;
  };

  FakeCa(FakeCaSettings initial_settings, SeededRandom random, Time now);

  // An error is a connection that failed: refused, or lost after the CA acted.
  Result<acme::HttpResponse> handle(const acme::HttpRequest& request, Time now);
  void advance(Time now);
  std::optional<Time> next_due() const;

  void set_validator(Validator validator) { validator_ = std::move(validator); }
  void lose_reply(CaEndpoint endpoint) { lose_next_.insert(endpoint); }  // to the next request
  void lose_reply_after(int requests) { lose_at_ = counters_.requests + requests; }

  void revoke(const std::string& id, Time now, int reason = 0);

  FakeCaSettings settings;  // may be changed at any time
  const Counters& counters() const { return counters_; }
  const std::string& last_limit() const { return last_limit_; }  // that refused something
  // Without what is long over, see fake_ca_memory.cpp.
  const std::map<std::string, CaOrder>& orders() const { return orders_; }
  const std::map<std::string, CaCertificate>& certificates() const { return certificates_; }
  std::size_t authorizations() const { return authorizations_.size(); }
  std::string directory_url() const { return settings.base_url + "/directory"; }
  std::string revocation_list_url() const;  // plain http, as everywhere
  const TestIssuer& root() const { return root_; }
  std::vector<std::string> trust_anchors() const;  // DER, the alternate roots included

 private:
  // A request that was routed and, for all but GET and HEAD, authenticated.
  struct Request {
    const acme::HttpRequest& http;
    Time now;
    CaEndpoint endpoint = CaEndpoint::unknown;
    std::string id = {};  // from the path
    JwsMessage jws = {};
    acme::PrivateKey key = {};    // that signed it
    std::string account = {};     // id; empty for requests signed with a JWK
    nlohmann::json payload = {};  // null for POST-as-GET
  };
  using Reply = Answer<acme::HttpResponse>;

  // fake_ca.cpp: requests
  acme::HttpResponse respond(Request& request);
  Reply dispatch(Request& request);
  Reply dispatch_post(Request& request);
  Answer<void> authenticate(Request& request);
  Answer<void> spend_nonce(const std::string& nonce);
  Answer<void> find_key(Request& request);
  Reply directory() const;
  std::string new_nonce();
  std::string url(const std::string& kind, const std::string& id) const;
  std::string new_id();
  std::string new_token();
  acme::HttpHeader retry_after(Time at, Time now) const;
  Answer<void> check_limit(const std::string& what, const CaLimit& limit, Time now);
  void count_towards_limit(const std::string& what, Time now);
  // What limits are on, in the words of the refusal.
  bool is_exempt(const std::vector<acme::Identifier>& identifiers) const {
    return settings.renewals_are_exempt && issued_sets_.contains(certificates_for(identifiers));
  }
  static std::string orders_by(const std::string& account);
  static std::string failures_of(const std::string& account, const std::string& name);
  static std::string certificates_for(const std::vector<acme::Identifier>& identifiers);

  // fake_ca_accounts.cpp
  Reply new_account(const Request& request);
  Reply account(const Request& request);
  Reply key_change(const Request& request);
  Answer<void> check_external_binding(const Request& request) const;
  nlohmann::json account_json(const CaAccount& account) const;
  CaAccount* account_with_key(const std::string& thumbprint);

  // fake_ca_orders.cpp
  Reply new_order(const Request& request);
  Reply order(const Request& request);
  Reply order_reply(const CaOrder& order, Time now, int status);
  Answer<std::vector<acme::Identifier>> read_identifiers(const Request& request) const;
  Answer<void> check_order_limits(const Request& request,
                                  const std::vector<acme::Identifier>& identifiers);
  Answer<void> check_replaces(const Request& request,
                              const std::vector<acme::Identifier>& identifiers) const;
  std::string authorization_for(const std::string& account, const acme::Identifier& identifier,
                                Time now);
  CaOrder* reusable_order(const CaOrder& wanted);
  void refresh_open_orders(Time now);
  void refresh(CaOrder& order, Time now);

  // fake_ca_validation.cpp
  Reply authorization(const Request& request);
  Reply challenge(const Request& request);
  void validate(CaChallenge& challenge);
  nlohmann::json challenge_json(const CaChallenge& challenge) const;
  void add_challenge(CaAuthorization& authorization, const std::string& type);

  // fake_ca_certificates.cpp
  void make_issuers(Time now);
  Reply finalize(const Request& request);
  void issue(CaOrder& order);
  Reply certificate(const Request& request);
  Reply revoke_certificate(const Request& request);
  Reply renewal_info(const Request& request) const;
  Reply revocation_list(const Request& request) const;
  const CaCertificate* certificate_with_renewal_id(const std::string& renewal_id) const;

  // fake_ca_memory.cpp: what is due, and what is forgotten
  enum class Task { validate, issue };
  enum class Memory { order, authorization, certificate };
  void plan(Time at, Task task, const std::string& id) { agenda_.insert({at, task, id}); }
  void forget_at(Time at, Memory what, const std::string& id) { memory_.insert({at, what, id}); }
  void forget(Memory what, const std::string& id, Time at);
  void forget_authorization(const std::string& id, Time at);

  template <class T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); settings.shuffle && i > 1; --i)
      std::swap(list[i - 1], list[random_.below(i)]);
  }

  SeededRandom random_;
  Validator validator_;
  Counters counters_;
  std::uint64_t last_id_ = 0;
  std::set<std::string> nonces_;
  std::deque<std::string> nonces_by_age_;
  std::set<CaEndpoint> lose_next_;
  int lose_at_ = 0;
  std::string last_limit_;
  std::set<std::string> issued_sets_;
  std::map<std::string, std::deque<Time>> spent_;  // what a limit is on -> when it was used
  std::map<std::string, CaAccount> accounts_;
  std::map<std::string, CaOrder> orders_;
  std::map<std::string, CaAuthorization> authorizations_;
  std::map<std::string, CaChallenge> challenges_;
  std::map<std::string, CaCertificate> certificates_;
  std::set<std::tuple<Time, Task, std::string>> agenda_;  // with the id that the task is about
  std::set<std::tuple<Time, Memory, std::string>> memory_;
  std::set<std::string> open_orders_;  // pending or ready when last looked at
  std::map<std::string, std::set<std::string>> usable_authorizations_;  // by account and name
  std::map<std::string, std::string> certificates_by_renewal_id_;
  TestIssuer root_;
  std::vector<TestIssuer> intermediates_;    // the one below the root first
  std::vector<TestIssuer> alternate_roots_;  // each cross-signs the first intermediate
};

// The problem document of a refusal. [RFC 9457, RFC 8555 §6.7]
nlohmann::json problem_json(const Refusal& refusal);
// One of the members of an object: its text, or empty when absent or of another type.
std::string text_member(const nlohmann::json& object, const char* name);

}  // namespace nolapse
