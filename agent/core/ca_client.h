// Carries the calls of an acme::Session over the world's HTTP, and keeps its account in the
// store: the key is durable before the CA hears of it, the account URL before anybody uses it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "acme/session.h"
#include "agent/core/config.h"
#include "agent/core/event_stream.h"
#include "agent/core/store.h"

namespace nolapse {

class CaClient {
 public:
  CaClient(World world, const Store& store, EventStream& events, CaConfig ca,
           std::vector<std::string> contact);

  // Makes the account usable: reads or makes the key, finds or creates the account. May be called
  // by several at once; the work is done once.
  void prepare(Completion<void> done);

  // After prepare(). An account that the CA has forgotten is registered again with the same key.
  void send(acme::Call call, Completion<acme::HttpResponse> done);

  const CaConfig& config() const { return ca_; }
  const acme::Session& session() const { return *session_; }

 private:
  struct Exchange {
    acme::Call call;
    Completion<acme::HttpResponse> done;
    bool account_renewed = false;
  };

  void load_account();
  void make_key();
  void use_account(SavedAccount account, bool key_is_old);
  void find_account();
  void prepared(Result<void> outcome);
  void go_on(std::shared_ptr<Exchange> exchange);
  void receive(const std::shared_ptr<Exchange>& exchange, Result<acme::HttpResponse> response);
  void finish(const std::shared_ptr<Exchange>& exchange, Result<acme::HttpResponse> reply);
  Result<acme::AccountTerms> terms() const;

  World world_;
  const Store& store_;
  EventStream& events_;
  CaConfig ca_;
  std::vector<std::string> contact_;
  SavedAccount account_;
  std::unique_ptr<acme::Session> session_;
  bool ready_ = false;
  std::vector<Completion<void>> waiting_;  // for prepare()
};

}  // namespace nolapse
