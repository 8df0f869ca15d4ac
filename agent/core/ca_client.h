// Carries the calls of an acme::Session over the world's HTTP, and keeps its account in the
// store: the key is durable before the CA hears of it, the account URL before anybody uses it.
//
// A key change [RFC 8555 §7.3.5] is believed only when the CA, asked with the new key, names the
// same account. Both keys stay on the disk until then: whatever gets lost on the way, a reply or
// this process, the next use of the account asks which of them it is.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/renewal_info.h"
#include "acme/session.h"
#include "agent/core/account_outcome.h"
#include "agent/core/config.h"
#include "agent/core/event_stream.h"
#include "agent/core/saved_ledger.h"
#include "agent/core/store.h"
#include "agent/core/turns.h"

namespace nolapse {

class CaClient {
 public:
  // Where a person waits, the first contact is tried again twice within half a minute, unless the
  // CA itself asked to wait. The daemon has its own patience.
  enum class FirstContact { once, insisted };
  CaClient(World world, const Store& store, EventStream& events, CaConfig ca,
           std::vector<std::string> contact, FirstContact first_contact);

  // Reads the directory, again after a day, and makes the account usable: reads or makes the key,
  // finds or creates it.
  // May be called by several at once; the work is done once.
  void prepare(Completion<void> done);

  // The same without making a key or an account. Succeeds without one too: see may_sign(). Calls
  // that another key signs can be sent then.
  void prepare_existing(Completion<void> done);
  // Is there an account to sign for, as far as we know?
  bool may_sign() const { return !session_->account_url().empty() && !account_.deactivated; }

  // Errors are in the outcome: those of send(), and KEY_CHANGE_UNSUPPORTED, KEY_IN_USE,
  // KEY_CHANGE_UNCONFIRMED, ISSUANCE_UNDER_WAY, NO_ACCOUNT, ACCOUNT_DEACTIVATED,
  // ACCOUNT_NOT_VALID.
  void work_on_account(AccountAction action, std::function<void(AccountOutcome)> done);

  // The account's key is not changed while anybody holds this: proofs of control are made with it.
  std::shared_ptr<const void> hold_key() const { return key_held_; }

  // After prepare(). An account that the CA has forgotten is registered again with the same key.
  void send(acme::Call call, Completion<acme::HttpResponse> done);

  // Can the configured external account be used? Errors: input BAD_EAB_KEY; local as Files::read.
  Result<void> check_external_account() const;

  // When the CA wants this certificate renewed [RFC 9773 §4.1]. After prepare(). Errors: resync
  // NO_RENEWAL_INFO where the CA offers none or the certificate gives no identifier; transient
  // BAD_RENEWAL_INFO and those of send().
  struct RenewalAdvice {
    acme::RenewalInfo info;
    Time poll_after;  // when to ask again
  };
  void ask_renewal_info(const acme::Certificate& leaf, Completion<RenewalAdvice> done);

  // The CA's clock, as far as its answers have told: its last Date and what went by since.
  std::optional<Time> time() const;

  const CaConfig& config() const { return ca_; }
  const acme::Session& session() const { return *session_; }
  SavedLedger& ledger() { return ledger_; }  // after prepare()

 private:
  struct Exchange {
    acme::Call call;
    Completion<acme::HttpResponse> done;
    bool account_renewed = false;
  };

  struct AccountWork {
    AccountAction action;
    std::function<void(AccountOutcome)> done;
    AccountOutcome outcome;
  };
  using Work = std::shared_ptr<AccountWork>;

  Error deactivated() const;
  void load_account();
  void make_key();
  void use_account(SavedAccount account, bool key_is_old);
  void read_directory();
  void find_account();
  void prepared(Result<void> outcome);
  bool tries_again(const Error& error);
  void go_on(std::shared_ptr<Exchange> exchange);
  void receive(const std::shared_ptr<Exchange>& exchange, Result<acme::HttpResponse> response);
  void finish(const std::shared_ptr<Exchange>& exchange, Result<acme::HttpResponse> reply);
  Result<acme::AccountTerms> terms() const;

  // ca_client_account.cpp
  Result<void> open_account();
  void describe(const Work& work) const;
  void asked_directory(const Work& work);
  void ask_account(const Work& work);
  void asked_account(const Work& work, const Result<acme::HttpResponse>& reply);
  void act(const Work& work);
  void update(const Work& work);
  void updated(const Work& work);
  void deactivate(const Work& work);
  void note_deactivated(const Work& work, std::string how);
  void change_account(const Work& work, std::string payload,
                      std::function<void(const acme::HttpResponse&)> changed);
  void end(const Work& work, std::optional<Error> error = {});

  // ca_client_key_change.cpp
  void change_key(const Work& work);
  void save_next_key(const Work& work, const acme::PrivateKey& key);
  void send_key_change(const Work& work);
  void asked_for_key_change(const Work& work, const Result<acme::HttpResponse>& reply,
                            bool first_time);
  void look_up(const acme::PrivateKey& key, Completion<acme::HttpResponse> done);
  enum class KeyInForce { unknown, old_one, new_one };
  void settle_key_change(Completion<KeyInForce> done);
  void settle_without_url(const std::string& url_of_next, const Completion<KeyInForce>& done);
  void adopt_next_key(const std::string& url, const Completion<KeyInForce>& done);
  void drop_next_key(const Completion<KeyInForce>& done);
  std::vector<std::string> issuances_under_way() const;

  World world_;
  const Store& store_;
  EventStream& events_;
  CaConfig ca_;
  std::vector<std::string> contact_;
  SavedLedger ledger_;
  SavedAccount account_;
  std::unique_ptr<acme::Session> session_;
  std::shared_ptr<const void> key_held_ = std::make_shared<int>();
  Turns turns_;  // whose it is to make the account usable, or to change it
  bool ready_ = false;
  std::deque<Duration> first_waits_;  // before the next tries at a first contact
  std::chrono::milliseconds first_try_{};
  std::chrono::milliseconds directory_uptime_{};  // when it was read
  std::optional<Time> last_date_;
  std::chrono::milliseconds last_date_uptime_{};
  std::vector<Completion<void>> waiting_;  // for prepare()
};

}  // namespace nolapse
