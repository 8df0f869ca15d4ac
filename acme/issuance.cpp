#include "acme/issuance.h"

#include <algorithm>
#include <array>

#include "acme/base64url.h"
#include "acme/challenge_response.h"
#include "acme/json_read.h"

namespace nolapse::acme {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr int lost_answer_limit = 5;
constexpr int finalization_limit = 3;
constexpr int answer_again_limit = 6;
// A CA that says "later than this" is left alone: the order is kept and resumed.
constexpr Duration longest_wait = 60s;

constexpr std::array<Duration, 8> waits = {200ms, 400ms, 800ms, 1500ms, 3s, 5s, 8s, 15s};

// Did the CA answer at all? A lost answer is no refusal.
bool is_answer(const Error& error) {
  return !error.problem.empty() || error.code.rfind("CA_HTTP_", 0) == 0;
}

const Challenge* find_challenge(const Authorization& authorization, const std::string& type) {
  for (const Challenge& challenge : authorization.challenges) {
    if (challenge.type == type) return &challenge;
  }
  return nullptr;
}

std::string offered_types(const Authorization& authorization) {
  std::string types;
  for (const Challenge& challenge : authorization.challenges) {
    types += (types.empty() ? "" : ", ") + printable(challenge.type, 60);
  }
  return types.empty() ? "none" : types;
}

// Why the CA did not accept our proof: the challenge's own error, named after its identifier.
Error validation_error(const Authorization& authorization) {
  const std::string name = authorization.ordered_name();
  for (const Challenge& challenge : authorization.challenges) {
    if (!challenge.error) continue;
    Error error = problem_error(*challenge.error, name + " (" + challenge.type + ")");
    // Within a challenge every problem means: the proof was not seen. Only CAA and a refusal of
    // the name itself wait for a person.
    if (error.code != "CA_CAA" && error.code != "CA_REJECTED_IDENTIFIER") {
      error.kind = ErrorKind::validation;
    }
    return error;
  }
  return Error{ErrorKind::validation,
               "AUTHORIZATION_FAILED",
               name + ": the CA's authorization is \"" + printable(authorization.status, 40) +
                   "\" and says nothing more",
               {},
               {}};
}

bool matches(const std::vector<Certificate>& chain, const std::string& issuer_common_name) {
  return std::any_of(chain.begin(), chain.end(), [&](const Certificate& certificate) {
    return certificate.issuer_common_name == issuer_common_name;
  });
}

}  // namespace

Issuance::Issuance(IssuanceRequest request, IssuanceState state)
    : request_(std::move(request)), state_(std::move(state)) {
  for (PresentedChallenge& challenge : state_.presented) {
    if (challenge.token.empty()) continue;
    challenge.key_authorization = key_authorization(challenge.token, request_.thumbprint);
  }
}

IssuanceEffect Issuance::step(const IssuanceEvent& event, Time now) {
  // A clock that was set back must not prolong a deadline.
  if (deadline_ && now < last_step_) *deadline_ -= last_step_ - now;
  last_step_ = now;
  if (std::holds_alternative<event::Start>(event)) return begin();
  if (std::holds_alternative<event::TimerFired>(event)) return send(last_call_);
  if (std::holds_alternative<event::CleanedUp>(event)) return on_cleaned_up();
  if (const auto* presented = std::get_if<event::Presented>(&event)) {
    return on_presented(presented->outcome, now);
  }
  return on_reply(std::get<event::Replied>(event).response, now);
}

Issuance::Effect Issuance::begin() {
  if (state_.order_url.empty()) {
    if (!state_.presented.empty()) return clean_up(AfterCleanUp::place_order);
    return place_order();
  }
  // The CA may be looking for our proof right now: put it back before anything else.
  if (!state_.presented.empty()) return effect::Present{state_.presented};
  return read_order();
}

Issuance::Effect Issuance::on_reply(const Result<HttpResponse>& response, Time now) {
  switch (stage_) {
    case Stage::new_order:
      return on_new_order(response, now);
    case Stage::order:
      return on_order(response, now);
    case Stage::authorizations:
      return on_authorization(response, now);
    case Stage::answer:
    case Stage::answer_again:
      return on_answer(response, now);
    case Stage::poll:
      return on_poll(response, now);
    case Stage::finalize:
      return on_finalize(response, now);
    case Stage::certificate:
      if (!response && response.error().kind == ErrorKind::transient) {
        return retry_or_end(response.error(), now);
      }
      return on_certificate(response);
    case Stage::alternate:
      return on_alternate(response);
    case Stage::restore:
    case Stage::present:
    case Stage::clean_up:
    case Stage::ended:
      break;
  }
  return end(
      {ErrorKind::transient, "UNEXPECTED_REPLY", "a reply came that nobody waited for", {}, {}},
      !state_.order_url.empty());
}

// ---- the order

Issuance::Effect Issuance::place_order() {
  json identifiers = json::array();
  for (const Identifier& identifier : request_.identifiers) {
    identifiers.push_back({{"type", identifier.type}, {"value", identifier.value}});
  }
  json payload{{"identifiers", identifiers}};
  if (!request_.profile.empty()) payload["profile"] = request_.profile;
  if (request_.not_after) payload["notAfter"] = format_rfc3339(*request_.not_after);
  if (!request_.replaces.empty()) payload["replaces"] = request_.replaces;
  stage_ = Stage::new_order;
  Call call;
  call.target = Call::Target::new_order;
  call.payload = dump(payload);
  call.context = "new order";
  return send(std::move(call));
}

Issuance::Effect Issuance::on_new_order(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    // CAs refuse `replaces` in at least four ways; none may cost the renewal.
    if (!request_.replaces.empty() && is_answer(response.error())) {
      request_.replaces.clear();
      return place_order();
    }
    if (response.error().kind == ErrorKind::transient) return retry_or_end(response.error(), now);
    return end(response.error(), false);
  }
  auto order = parse_order(response->body);
  if (!order) return end(order.error(), false);
  state_.order_url = response->header("Location");
  if (state_.order_url.empty()) {
    return end({ErrorKind::transient, "BAD_ORDER", "the CA sent an order without its URL", {}, {}},
               false);
  }
  return follow(*order, *response, now);
}

Issuance::Effect Issuance::read_order() {
  stage_ = Stage::order;
  return read(state_.order_url, "reading the order");
}

Issuance::Effect Issuance::on_order(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    if (response.error().kind == ErrorKind::transient) return retry_or_end(response.error(), now);
    if (response.error().kind == ErrorKind::deferred) return end(response.error(), true);
    return start_over_or_end(response.error());
  }
  auto order = parse_order(response->body);
  if (!order) return retry_or_end(order.error(), now);
  return follow(*order, *response, now);
}

Issuance::Effect Issuance::follow(const Order& order, const HttpResponse& response, Time now) {
  order_ = order;
  lost_answers_ = 0;
  if (order.status == "pending" && !authorized_) {
    if (order.authorizations.empty() || order.authorizations.size() > 1000) {
      return end({ErrorKind::transient,
                  "BAD_ORDER",
                  "the CA sent an order with no authorizations, or absurdly many",
                  {},
                  {}},
                 false);
    }
    authorizations_.clear();
    next_ = 0;
    return read_authorization();
  }
  if (order.status == "pending" || order.status == "processing") {
    if (!deadline_) deadline_ = now + processing_deadline;
    if (now >= *deadline_) {
      return end({ErrorKind::deferred,
                  "ORDER_PROCESSING",
                  "the CA still works on the order after " + format_duration(processing_deadline) +
                      "; the order is kept and taken up again by the next attempt",
                  {},
                  response.retry_after(now)},
                 true);
    }
    read_order();
    return wait(&response, now, "the CA is processing the order");
  }
  if (order.status == "invalid") {
    Problem problem = order.error.value_or(Problem{});
    if (!order.error) problem.detail = "the CA says that the order is invalid, and nothing more";
    return start_over_or_end(problem_error(problem, "order"));
  }
  if (order.status != "ready" && order.status != "valid") {
    return start_over_or_end(
        {ErrorKind::resync,
         "BAD_ORDER",
         "the order has the unknown status \"" + printable(order.status, 40) + "\"",
         {},
         {}});
  }
  if (!state_.presented.empty()) return clean_up(AfterCleanUp::read_order);
  if (order.status == "ready") return finalize();
  stage_ = Stage::certificate;
  return read(order.certificate, "downloading the certificate",
              "application/pem-certificate-chain");
}

// ---- authorizations

Issuance::Effect Issuance::read_authorization() {
  stage_ = Stage::authorizations;
  return read(order_.authorizations[next_], "reading an authorization");
}

Issuance::Effect Issuance::on_authorization(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    if (response.error().kind == ErrorKind::transient) return retry_or_end(response.error(), now);
    if (response.error().kind == ErrorKind::deferred) return end(response.error(), true);
    return start_over_or_end(response.error());
  }
  auto authorization = parse_authorization(response->body);
  if (!authorization) return retry_or_end(authorization.error(), now);
  lost_answers_ = 0;
  // Where it is over already and pending all the same, it is our clock that is wrong.
  if (authorization->expires && *authorization->expires <= now) authorization->expires.reset();
  authorizations_.push_back(std::move(*authorization));
  ++next_;
  if (next_ < order_.authorizations.size()) return read_authorization();
  return choose_challenges();
}

Issuance::Effect Issuance::choose_challenges() {
  to_answer_.clear();
  to_poll_.clear();
  if (auto misplaced = misplaced_authorization()) return end(std::move(*misplaced), false);
  for (std::size_t i = 0; i < authorizations_.size(); ++i) {
    const Authorization& authorization = authorizations_[i];
    if (authorization.status == "valid") continue;
    if (authorization.status != "pending") {
      return start_over_or_end(validation_error(authorization));
    }
    const Challenge* challenge = find_challenge(authorization, request_.challenge_type);
    auto presented = challenge == nullptr ? std::nullopt : proof_for(authorization, *challenge);
    if (!presented) {
      return end(
          {ErrorKind::input,
           "CHALLENGE_NOT_OFFERED",
           authorization.ordered_name() + ": the CA offers no usable " + request_.challenge_type +
               " challenge (offered: " + offered_types(authorization) + "); configure one of those",
           {},
           {}},
          false);
    }
    if (std::find(state_.presented.begin(), state_.presented.end(), *presented) ==
        state_.presented.end()) {
      state_.presented.push_back(std::move(*presented));
    }
    if (challenge->status == "pending") to_answer_.push_back(challenge->url);
    to_poll_.push_back(order_.authorizations[i]);
  }
  if (to_poll_.empty()) {
    authorized_ = true;
    return read_order();
  }
  stage_ = Stage::present;
  return effect::Present{state_.presented};
}

Issuance::Effect Issuance::on_presented(const Result<void>& outcome, Time now) {
  if (!outcome) return end(outcome.error(), true);
  if (stage_ == Stage::restore) return read_order();
  // An answer that comes too late proves nothing: a new order has new time. [RFC 8555 §7.1.4]
  for (const Authorization& authorization : authorizations_) {
    if (authorization.status == "valid" || !authorization.expires) continue;
    if (*authorization.expires > now) continue;
    return start_over_or_end(
        bad_authorization("for " + authorization.ordered_name() + " that expired at " +
                          format_rfc3339(*authorization.expires) + ", before its proof was ready"));
  }
  next_ = 0;
  // The CA's time begins now, however long the proof took to appear.
  deadline_ = now + authorization_deadline;
  return answer_challenge(now);
}

Issuance::Effect Issuance::answer_challenge(Time now) {
  answered_ = true;
  if (next_ == to_answer_.size()) {
    next_ = 0;
    waits_ = 0;
    return poll_authorization(nullptr, now);
  }
  return answer(to_answer_[next_]);
}

Issuance::Effect Issuance::answer(std::string challenge_url) {
  stage_ = Stage::answer;
  Call call;
  call.target = Call::Target::url;
  call.url = std::move(challenge_url);
  call.payload = "{}";
  call.context = "answering a challenge";
  return send(std::move(call));
}

Issuance::Effect Issuance::on_answer(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    const Error& error = response.error();
    // The CA says that it could not take the answer, so that polling would wait for nothing.
    if (error.kind == ErrorKind::transient && is_answer(error)) return retry_or_end(error, now);
    // Lost, "already under way", or sent twice because it was lost below us: the CA may have it,
    // and polling will tell. [RFC 8555 §7.5.1]
    const bool may_have_it = error.kind == ErrorKind::transient ||
                             error.kind == ErrorKind::resync || error.code == "CA_MALFORMED";
    if (!may_have_it) return end(error, false);
    if (error.kind != ErrorKind::resync) unsure_answers_.insert_or_assign(last_call_.url, error);
  }
  lost_answers_ = 0;
  if (stage_ == Stage::answer_again) return poll_authorization(nullptr, now);
  ++next_;
  return answer_challenge(now);
}

// For a challenge that is still pending: it never saw our answer, or it failed and the CA would
// look once more if asked. [RFC 8555 §8.2]
std::optional<Issuance::Effect> Issuance::answer_again(const Authorization& authorization,
                                                       const HttpResponse& response, Time now) {
  const Challenge* challenge = find_challenge(authorization, request_.challenge_type);
  if (challenge == nullptr || challenge->status != "pending") return {};
  const auto unsure = unsure_answers_.find(challenge->url);
  if (unsure != unsure_answers_.end() && unsure->second.code == "CA_MALFORMED") {
    return end(unsure->second, false);
  }
  if (unsure == unsure_answers_.end() && !challenge->error) return {};
  if (++answers_again_ > answer_again_limit) return {};
  unsure_answers_.erase(challenge->url);
  const std::string cause = challenge->error ? ": " + validation_error(authorization).message : "";
  answer(challenge->url);
  stage_ = Stage::answer_again;
  return wait(&response, now, "the CA is asked to validate again" + cause);
}

Issuance::Effect Issuance::poll_authorization(const HttpResponse* last, Time now) {
  stage_ = Stage::poll;
  read(to_poll_[next_], "waiting for the CA's validation");
  return wait(last, now, "the CA is validating");
}

Issuance::Effect Issuance::on_poll(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    if (response.error().kind == ErrorKind::transient) return retry_or_end(response.error(), now);
    return end(response.error(), response.error().kind == ErrorKind::deferred);
  }
  auto authorization = parse_authorization(response->body);
  if (!authorization) return retry_or_end(authorization.error(), now);
  lost_answers_ = 0;
  if (authorization->status == "valid") return next_poll(now);
  if (!is_ordered(*authorization)) {
    return end(bad_authorization("that has become one for another name"), false);
  }
  if (authorization->status != "pending" && authorization->status != "processing") {
    refuse(*authorization);
    return next_poll(now);
  }
  if (auto again = answer_again(*authorization, *response, now)) return std::move(*again);
  if (now < *deadline_) return poll_authorization(&*response, now);
  if (!refused_.empty()) return end(refusal_, false);
  Error error = validation_error(*authorization);
  error.code = "VALIDATION_TIMEOUT";
  error.message = "the CA did not finish validating within " +
                  format_duration(authorization_deadline) + ": " + error.message;
  return end(std::move(error), false);
}

void Issuance::refuse(const Authorization& authorization) {
  const std::string name = authorization.ordered_name();
  if (refused_.empty()) {
    refusal_ = validation_error(authorization);
  } else {
    refusal_.message += (refused_.size() == 1 ? "; refused too: " : ", ") + name;
  }
  refused_.push_back({authorization.identifier.type, name});
}

// All are heard to the end, so that each name which fails is known after one attempt.
Issuance::Effect Issuance::next_poll(Time now) {
  waits_ = 0;
  answers_again_ = 0;
  deadline_ = now + authorization_deadline;
  if (++next_ < to_poll_.size()) return read(to_poll_[next_], "waiting for the CA's validation");
  if (!refused_.empty()) return end(refusal_, false);
  authorized_ = true;
  deadline_.reset();
  return clean_up(AfterCleanUp::read_order);
}

Issuance::Effect Issuance::on_cleaned_up() {
  state_.presented.clear();
  switch (after_clean_up_) {
    case AfterCleanUp::read_order:
      return read_order();
    case AfterCleanUp::place_order:
      return place_order();
    case AfterCleanUp::fail:
      break;
  }
  return end(failure_, order_kept_);
}

// ---- the certificate

Issuance::Effect Issuance::finalize() {
  if (++finalizations_ > finalization_limit) {
    return end({ErrorKind::transient,
                "FINALIZE_IGNORED",
                "the CA leaves the order ready after " + std::to_string(finalization_limit) +
                    " requests to finalize it",
                {},
                {}},
               true);
  }
  stage_ = Stage::finalize;
  Call call;
  call.target = Call::Target::url;
  call.url = order_.finalize;
  call.payload = dump(json{{"csr", base64url_encode(request_.signing_request)}});
  call.context = "finalizing the order";
  return send(std::move(call));
}

Issuance::Effect Issuance::on_finalize(const Result<HttpResponse>& response, Time now) {
  if (!response) {
    const ErrorKind kind = response.error().kind;
    // The CA may have acted: the order knows. [RFC 8555 §7.4]
    if (kind == ErrorKind::transient || kind == ErrorKind::resync) {
      read_order();
      return retry_or_end(response.error(), now);
    }
    return end(response.error(), kind == ErrorKind::deferred);
  }
  deadline_ = now + processing_deadline;
  waits_ = 0;
  auto order = parse_order(response->body);
  if (!order) return read_order();
  return follow(*order, *response, now);
}

Issuance::Effect Issuance::on_certificate(const Result<HttpResponse>& response) {
  if (!response) {
    if (response.error().kind == ErrorKind::deferred) return end(response.error(), true);
    return start_over_or_end(response.error());
  }
  auto chain = parse_pem_chain(response->body);
  if (!chain) return end(chain.error(), false);
  default_chain_ = std::move(*chain);
  if (request_.preferred_chain.empty() || matches(default_chain_, request_.preferred_chain)) {
    stage_ = Stage::ended;
    return effect::Finished{default_chain_, {}, order_.profile};
  }
  alternates_ = response->links("alternate");
  if (alternates_.size() > 20) alternates_.resize(20);
  next_ = 0;
  return choose_chain();
}

Issuance::Effect Issuance::choose_chain() {
  if (next_ < alternates_.size()) {
    stage_ = Stage::alternate;
    return read(alternates_[next_], "downloading an alternate chain",
                "application/pem-certificate-chain");
  }
  stage_ = Stage::ended;
  return effect::Finished{default_chain_,
                          "the CA offers no chain with the issuer \"" + request_.preferred_chain +
                              "\"; its default chain is used",
                          order_.profile};
}

Issuance::Effect Issuance::on_alternate(const Result<HttpResponse>& response) {
  // An alternate that cannot be had costs nothing: there is a certificate already.
  if (response) {
    auto chain = parse_pem_chain(response->body);
    if (chain && chain->front().der == default_chain_.front().der &&
        matches(*chain, request_.preferred_chain)) {
      stage_ = Stage::ended;
      return effect::Finished{std::move(*chain), {}, order_.profile};
    }
  }
  ++next_;
  return choose_chain();
}

// ---- sending, waiting, ending

Issuance::Effect Issuance::send(Call call) {
  last_call_ = call;
  return effect::Send{std::move(call)};
}

Issuance::Effect Issuance::read(std::string url, std::string context, std::string accept) {
  Call call;
  call.target = Call::Target::url;
  call.url = std::move(url);
  call.context = std::move(context);
  call.accept = std::move(accept);
  return send(std::move(call));
}

Issuance::Effect Issuance::wait(const HttpResponse* response, Time now, std::string reason) {
  Duration duration =
      waits[std::min<std::size_t>(static_cast<std::size_t>(waits_), waits.size() - 1)];
  ++waits_;
  if (response != nullptr) {
    if (const auto retry_after = response->retry_after(now)) {
      duration = std::clamp<Duration>(*retry_after - now, 1s, longest_wait);
    }
  }
  return effect::Wait{duration, std::move(reason)};
}

Issuance::Effect Issuance::retry_or_end(const Error& error, Time now) {
  const Duration asked = error.retry_after ? *error.retry_after - now : Duration{0};
  if (++lost_answers_ > lost_answer_limit || asked > longest_wait) {
    return end(error, !state_.order_url.empty());
  }
  const Duration backoff = 500ms * (1 << (lost_answers_ - 1));
  return effect::Wait{std::max(asked, backoff), error.message};
}

Issuance::Effect Issuance::clean_up(AfterCleanUp after) {
  after_clean_up_ = after;
  stage_ = Stage::clean_up;
  if (state_.presented.empty()) return on_cleaned_up();
  return effect::CleanUp{state_.presented};
}

Issuance::Effect Issuance::end(Error error, bool order_kept) {
  if (!state_.presented.empty()) {
    failure_ = std::move(error);
    order_kept_ = order_kept;
    return clean_up(AfterCleanUp::fail);
  }
  stage_ = Stage::ended;
  if (!order_kept) state_ = IssuanceState{};
  const bool issued = !order_kept && order_.status == "valid";
  return effect::Failed{std::move(error), order_kept, refused_, issued};
}

Issuance::Effect Issuance::start_over_or_end(const Error& error) {
  if (answered_ || started_over_) return end(error, false);
  started_over_ = true;
  authorized_ = false;
  order_ = Order{};
  state_.order_url.clear();
  return clean_up(AfterCleanUp::place_order);
}

}  // namespace nolapse::acme
