// What can be set on the fake CA: the differences between real CAs, and their bad days. The
// defaults behave like Let's Encrypt without its rate limits.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acme/http_message.h"
#include "acme/time.h"

namespace nolapse {

enum class CaEndpoint {
  directory,
  new_nonce,
  new_account,
  account,
  new_order,
  order,
  authorization,
  challenge,
  finalize,
  certificate,
  revoke_certificate,
  key_change,
  renewal_info,
  revocation_list,
  unknown,
};
const char* name_of(CaEndpoint endpoint);

struct CaOutage {
  enum class Kind { refused, unavailable };  // connection refused, 503 with an HTML body
  acme::Time from;
  acme::Time until;
  Kind kind = Kind::unavailable;
  std::optional<acme::Duration> retry_after = {};
};

struct CaLimit {
  static constexpr std::size_t largest_count = 1000;
  std::size_t count = 0;  // 0: no limit
  acme::Duration window{0};
};

struct CaProfile {
  std::string description;
  acme::Duration lifetime;
};

struct CaWindow {
  acme::Time start;
  acme::Time end;
};

struct FakeCaSettings {
  std::string base_url = "https://ca.test";
  std::string name = "Test CA";  // in the names of its certificates

  // Requests.
  unsigned nonce_reject_percent = 0;
  acme::Duration retry_after = std::chrono::seconds(3);  // while something is pending; 0: not sent
  bool retry_after_as_date = false;

  std::vector<std::string> caa_identities = {"ca.test"};  // what CAA records call it

  // Accounts.
  bool terms_of_service = true;                              // newAccount must agree
  bool external_account_required = false;                    // [RFC 8555 §7.3.4]
  std::map<std::string, std::string> external_account_keys;  // key id -> raw MAC key

  // Orders and authorizations.
  acme::Duration order_lifetime = std::chrono::hours(24 * 7);
  acme::Duration authorization_lifetime = std::chrono::hours(24 * 30);  // once valid
  bool reuse_authorizations = true;                                     // that are valid
  bool reuse_pending_authorizations = true;  // of another order, with their failure
  bool reuse_orders = false;  // the same pending or ready order for the same request, as Boulder
  bool shuffle = true;        // lists in orders and authorizations have no order
  bool ip_identifiers = true;
  std::set<std::string> rejected_identifiers;
  acme::Duration validation_delay = std::chrono::seconds(2);

  // Certificates.
  bool finalize_location = true;                              // newer Pebbles leave it out
  acme::Duration processing_delay = std::chrono::seconds(3);  // 0: finalize answers `valid`
  acme::Duration certificate_lifetime = std::chrono::hours(24 * 90);
  acme::Duration backdate = std::chrono::hours(1);
  std::size_t intermediates = 1;
  std::size_t alternate_chains = 0;
  std::map<std::string, CaProfile> profiles;

  bool revocation_list = true;  // certificates name one, which is served at base_url/crl

  // Renewal information. [RFC 9773]
  bool renewal_info = true;
  acme::Duration renewal_info_retry_after = std::chrono::hours(6);
  std::optional<CaWindow> renewal_window;  // for every certificate; nothing: Boulder's rule
  std::string replaces_refusal;            // problem type for any `replaces`; empty: it is checked

  // Limits, each over a sliding window.
  CaLimit orders_per_account;
  // As at Let's Encrypt: from orders_per_account, for names that had a certificate together before.
  bool renewals_are_exempt = false;
  CaLimit certificates_per_set;
  CaLimit failures_per_identifier;

  // Bad days.
  std::vector<CaOutage> outages;
  unsigned lost_reply_percent = 0;  // acted, but the reply never arrives
  // Answers instead of the CA, which then does not act; nothing: the CA answers.
  std::function<std::optional<acme::HttpResponse>(CaEndpoint, const acme::HttpRequest&)> instead;
  // Changes the CA's answer.
  std::function<void(CaEndpoint, acme::HttpResponse&)> alter;
};

}  // namespace nolapse
