// One account at one CA: directory, nonces, account and signing, as a value that performs no I/O.
// The owner turns each Call into HTTP exchanges:
//
//   while (true) { response = send(session.next(call, now)); done = session.receive(call, response,
//   now); }
//
// next() decides what has to go over the wire first (directory, nonce, account), so that a caller
// only ever says what it wants. badNonce is retried here and is nobody else's business.
// [RFC 8555 §6.2, §6.5, §7.1.1, §7.2, §7.3]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/http_message.h"
#include "acme/jws.h"
#include "acme/resources.h"

namespace nolapse::acme {

struct AccountTerms {
  std::vector<std::string> contact;  // "mailto:…"
  bool terms_of_service_agreed = false;
  std::string eab_key_id;   // empty: no external account binding
  std::string eab_mac_key;  // raw octets
};

// What a caller wants done at the CA.
struct Call {
  enum class Target {
    directory,
    account,
    new_order,
    url,
    renewal_info,
    own_account,  // the account's own URL: to change or to deactivate it [RFC 8555 §7.3.2, §7.3.6]
    look_up,      // which account has `key`? Never makes one [RFC 8555 §7.3.1]
    key_change,   // from the account's key to `key` [RFC 8555 §7.3.5]
    revocation,   // signed with `key` where there is one, else for the account [RFC 8555 §7.6]
  };
  Target target = Target::account;
  std::string url;      // for Target::url; for renewal_info the certificate's ARI identifier
  std::string payload;  // JSON text; empty is POST-as-GET
  std::string accept;   // media type; empty: none sent
  std::string context;  // for messages: "new order", "finalize", …
  PrivateKey key = {};  // for some targets

  // Progress, kept by the session.
  enum class Awaiting { nothing, directory, nonce, account, reply };
  Awaiting awaiting = Awaiting::nothing;
  int bad_nonce_tries = 0;
};

class Session {
 public:
  Session(std::string directory_url, PrivateKey account_key, AccountTerms terms);

  // The next request for this call. Fails (kind input) where no request can help: terms not agreed,
  // EAB required but not configured, NOT_OFFERED where the directory lacks what the call needs.
  Result<HttpRequest> next(Call& call);

  // Takes the response to the request that next() gave. Nothing: call next() again. A value or an
  // error: the call has ended. A 2xx reply is a value, everything else an error.
  // For Target::account the value is the account object.
  std::optional<Result<HttpResponse>> receive(Call& call, const HttpResponse& response, Time now);

  // Account URL (`kid`); empty until known. A saved one is put back with restore_account().
  const std::string& account_url() const { return account_url_; }
  void restore_account(std::string account_url) { account_url_ = std::move(account_url); }
  // After a key change that the CA has confirmed. Directory, nonces and account stay.
  void replace_key(PrivateKey key);
  // Ask the CA which account has this key, and never create one. [RFC 8555 §7.3.1]
  void only_return_existing(bool value) { only_return_existing_ = value; }

  const std::optional<Directory>& directory() const { return directory_; }
  const std::string& directory_url() const { return directory_url_; }
  // The terms of service that an account was asked for with, a URL; empty: none was asked for.
  const std::string& agreed_terms() const { return agreed_terms_; }
  const std::string& thumbprint() const { return thumbprint_; }

 private:
  Result<HttpRequest> new_account_request();
  Result<std::string> url_of(const Call& call) const;
  Result<std::string> payload_of(const Call& call, const std::string& url) const;
  Result<HttpRequest> signed_request(const std::string& url, std::string_view payload,
                                     const std::string& accept, const PrivateKey* with_jwk);
  std::optional<Result<HttpResponse>> receive_reply(Call& call, const HttpResponse& response,
                                                    bool fresh_nonce, Time now);
  bool keep_nonce(const HttpResponse& response);

  std::string directory_url_;
  PrivateKey account_key_;
  AccountTerms terms_;
  std::string thumbprint_;
  std::string account_url_;
  bool only_return_existing_ = false;
  std::string agreed_terms_;
  std::optional<Directory> directory_;
  std::vector<std::string> nonces_;  // newest last, used newest first, at most 16
};

}  // namespace nolapse::acme
