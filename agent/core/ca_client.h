// Carries the calls of an acme::Session over the world's HTTP, and keeps its account in the
// store: the key is durable before the CA hears of it, the account URL before anybody uses it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/renewal_info.h"
#include "acme/session.h"
#include "agent/core/config.h"
#include "agent/core/event_stream.h"
#include "agent/core/saved_ledger.h"
#include "agent/core/store.h"

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

  // After prepare(). An account that the CA has forgotten is registered again with the same key.
  void send(acme::Call call, Completion<acme::HttpResponse> done);

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

  World world_;
  const Store& store_;
  EventStream& events_;
  CaConfig ca_;
  std::vector<std::string> contact_;
  SavedLedger ledger_;
  SavedAccount account_;
  std::unique_ptr<acme::Session> session_;
  bool ready_ = false;
  std::deque<Duration> first_waits_;  // before the next tries at a first contact
  std::chrono::milliseconds first_try_{};
  std::chrono::milliseconds directory_uptime_{};  // when it was read
  std::optional<Time> last_date_;
  std::chrono::milliseconds last_date_uptime_{};
  std::vector<Completion<void>> waiting_;  // for prepare()
};

}  // namespace nolapse
