// The order flow of RFC 8555 §7.4 as an I/O-free step function: an Event in, one Effect out.
//
//   newOrder → authorizations → present → answer → poll → clean up → finalize → poll → download
//
// The owner carries out the effect and reports its outcome as the next event. It saves state()
// whenever that changed, *before* it carries out the effect; an Issuance made from a saved state
// goes on with the same order. Waiting, retrying a lost answer and following the order's status
// live here; HTTP, nonces and signing are the session's, files and timers the owner's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "acme/issuance_state.h"
#include "acme/resources.h"
#include "acme/session.h"
#include "acme/x509.h"

namespace nolapse::acme {

struct IssuanceRequest {
  std::vector<Identifier> identifiers;
  std::string challenge_type;  // "http-01"
  std::string thumbprint;      // of the account key
  std::string account_url;
  // For dns-persist-01, as the directory has them.
  std::vector<std::string> issuer_domain_names = {};
  std::string account_hash_prefix = {};
  std::string signing_request;    // DER
  std::string profile;            // empty: the CA's choice
  std::optional<Time> not_after;  // asked for; nothing: the CA's choice
  std::string replaces;           // ARI certID of the predecessor; empty: none [RFC 9773 §5]
  std::string preferred_chain;    // issuer common name; empty: the CA's default chain
};

namespace event {
struct Start {};
struct Replied {
  Result<HttpResponse> response;
};  // to effect::Send
struct Presented {
  Result<void> outcome;
};                     // to effect::Present
struct CleanedUp {};   // to effect::CleanUp, whatever came of it
struct TimerFired {};  // to effect::Wait
}  // namespace event
using IssuanceEvent = std::variant<event::Start, event::Replied, event::Presented, event::CleanedUp,
                                   event::TimerFired>;

namespace effect {
struct Send {
  Call call;
};
struct Present {
  std::vector<PresentedChallenge> challenges;
};
struct CleanUp {
  std::vector<PresentedChallenge> challenges;
};
struct Wait {
  Duration duration;
  std::string reason;
};
// `note` is for the operator; empty when there is nothing to say. `profile`: as the order has it;
// empty: the CA does not say.
struct Finished {
  std::vector<Certificate> chain;
  std::string note;
  std::string profile = {};
};
// `order_kept`: state().order_url is worth resuming later. `refused`: the names, as ordered, for
// which the CA saw no proof; each of them counts as a failed validation.
struct Failed {
  Error error;
  bool order_kept;
  std::vector<Identifier> refused;
  bool issued = false;  // the CA has, and counts it; what it sent is of no use
};
}  // namespace effect
using IssuanceEffect = std::variant<effect::Send, effect::Present, effect::CleanUp, effect::Wait,
                                    effect::Finished, effect::Failed>;

class Issuance {
 public:
  // Limits on waiting, each counted from the last progress.
  static constexpr Duration authorization_deadline = std::chrono::minutes(5);
  static constexpr Duration processing_deadline = std::chrono::minutes(10);

  Issuance(IssuanceRequest request, IssuanceState state);

  IssuanceEffect step(const IssuanceEvent& event, Time now);
  const IssuanceState& state() const { return state_; }
  // The order in hand carries `replaces`: no refusal has made us drop it.
  bool replaces() const { return !request_.replaces.empty(); }

 private:
  using Effect = IssuanceEffect;
  enum class Stage {
    restore,  // provision again what a crash interrupted
    new_order,
    order,
    authorizations,
    present,
    answer,
    answer_again,  // while polling
    poll,
    clean_up,
    finalize,
    certificate,
    alternate,
    ended
  };
  enum class AfterCleanUp { read_order, place_order, fail };

  Effect begin();
  Effect on_reply(const Result<HttpResponse>& response, Time now);
  Effect on_new_order(const Result<HttpResponse>& response, Time now);
  Effect on_order(const Result<HttpResponse>& response, Time now);
  Effect on_authorization(const Result<HttpResponse>& response, Time now);
  Effect on_answer(const Result<HttpResponse>& response, Time now);
  Effect on_poll(const Result<HttpResponse>& response, Time now);
  Effect on_finalize(const Result<HttpResponse>& response, Time now);
  Effect on_certificate(const Result<HttpResponse>& response);
  Effect on_alternate(const Result<HttpResponse>& response);
  Effect on_presented(const Result<void>& outcome, Time now);
  Effect on_cleaned_up();

  // The status of the order decides what comes next. [RFC 8555 §7.1.6]
  Effect follow(const Order& order, const HttpResponse& response, Time now);
  Effect place_order();
  Effect read_order();
  Effect read_authorization();
  bool is_ordered(const Authorization& authorization) const;
  std::optional<Error> misplaced_authorization() const;
  Effect choose_challenges();
  std::optional<PresentedChallenge> proof_for(const Authorization& authorization,
                                              const Challenge& challenge) const;
  Effect answer_challenge(Time now);
  Effect answer(std::string challenge_url);
  std::optional<Effect> answer_again(const Authorization& authorization,
                                     const HttpResponse& response, Time now);
  Effect poll_authorization(const HttpResponse* last, Time now);
  void refuse(const Authorization& authorization);
  Effect next_poll(Time now);
  Effect finalize();
  Effect choose_chain();

  Effect send(Call call);
  Effect read(std::string url, std::string context, std::string accept = {});
  // Waits as the CA said, or a little longer each time, then sends the last call again.
  Effect wait(const HttpResponse* response, Time now, std::string reason);
  // A lost answer, a 5xx or one that cannot be read: the last call again, a few times, then
  // failure.
  Effect retry_or_end(const Error& error, Time now);
  Effect clean_up(AfterCleanUp after);
  Effect end(Error error, bool order_kept);
  // The order is of no use: a new one, but only once and only when it did not fail by our proof.
  Effect start_over_or_end(const Error& error);

  IssuanceRequest request_;
  IssuanceState state_;
  Stage stage_ = Stage::restore;
  AfterCleanUp after_clean_up_ = AfterCleanUp::read_order;
  Call last_call_;
  int lost_answers_ = 0;
  int waits_ = 0;
  int finalizations_ = 0;
  int answers_again_ = 0;                        // for the authorization that is polled
  std::map<std::string, Error> unsure_answers_;  // by challenge URL: why the CA may not have it
  bool answered_ = false;                        // this order has seen a proof of ours
  bool authorized_ = false;                      // all authorizations were seen valid
  bool started_over_ = false;
  std::optional<Time> deadline_;
  Time last_step_{};
  std::vector<Identifier> refused_;
  Error refusal_;  // of the first of them, with the others named
  Error failure_;  // reported after the challenges are cleaned up
  bool order_kept_ = false;
  Order order_;
  std::vector<Authorization> authorizations_;
  std::vector<std::string> to_answer_;  // challenge URLs
  std::vector<std::string> to_poll_;    // authorization URLs
  std::size_t next_ = 0;                // index into the list that the stage works on
  std::vector<Certificate> default_chain_;
  std::vector<std::string> alternates_;
};

}  // namespace nolapse::acme
