#include "agent/core/renewal.h"

#include <algorithm>

namespace nolapse {

using acme::HttpResponse;
using acme::PrivateKey;
namespace event = acme::event;
namespace effect = acme::effect;

namespace {

bool is_same_order(const SavedIssuance& saved, const SavedIssuance& wanted) {
  return saved.ca == wanted.ca && saved.ca_directory == wanted.ca_directory &&
         saved.account_url == wanted.account_url && saved.challenge == wanted.challenge &&
         saved.profile == wanted.profile && saved.key_type == wanted.key_type &&
         saved.identifiers == wanted.identifiers;
}

}  // namespace

Renewal::Renewal(World world, const Store& store, EventStream& events, CaClient& ca, Solver& solver,
                 const CertificateSpec& spec, bool requested)
    : world_(world),
      store_(store),
      events_(events),
      ca_(ca),
      solver_(solver),
      spec_(spec),
      requested_(requested) {}

void Renewal::start(Completion<Generation> done) {
  done_ = std::move(done);
  info("ISSUANCE_STARTED", "asking " + ca_.config().name + " for " + join(spec_.domains, " "));
  ca_.prepare([this](Result<void> ready) {
    if (!ready) return done_(fail(ready.error()));
    take_up();
  });
}

SavedIssuance Renewal::wanted() const {
  SavedIssuance wanted;
  wanted.ca = ca_.config().name;
  wanted.ca_directory = ca_.config().directory;
  wanted.account_url = ca_.session().account_url();
  wanted.challenge = spec_.challenge;
  wanted.profile = spec_.profile.empty() ? ca_.config().profile : spec_.profile;
  wanted.key_type = spec_.key_type;
  wanted.identifiers = spec_.domains;
  return wanted;
}

// An order that a CA does not bring to an end must not cost the certificate: it is given up after
// a day, or a sixth of what remains, or when a person asks again.
bool Renewal::is_worn_out(const SavedIssuance& issuance) const {
  if (issuance.stuck && requested_) return true;
  const Time now = world_.clock.now();
  Duration limit = std::chrono::hours(24);
  if (newest_) limit = std::min(limit, (newest_->leaf().not_after - now) / 6);
  return issuance.stuck &&
         now - issuance.placed_at > std::max<Duration>(limit, std::chrono::hours(1));
}

// Goes on with the order of an attempt that did not end, where that is still what is wanted.
void Renewal::take_up() {
  saved_ = wanted();
  saved_.placed_at = world_.clock.now();
  const auto numbers = store_.generation_numbers(spec_.name);
  auto newest = store_.newest_generation(spec_.name);
  if (!numbers) return done_(fail(numbers.error()));
  if (newest) newest_ = std::move(*newest);
  saved_.generation = numbers->empty() ? 1 : numbers->back() + 1;

  auto saved = store_.load_issuance(spec_.name);
  if (!saved) {
    events_.emit(Severity::warning, spec_.name, "STATE_UNREADABLE",
                 saved.error().message + "; a new order is placed");
    return begin();
  }
  if (!*saved) return begin();
  const auto key = store_.load_new_key(spec_.name, (*saved)->generation);
  if (!key || !is_same_order(**saved, saved_) || is_worn_out(**saved)) {
    return drop_and_begin(**saved);
  }
  saved_ = std::move(**saved);
  info("ORDER_RESUMED", "going on with the order " + saved_.state.order_url);
  run(*key);
}

void Renewal::drop_and_begin(const SavedIssuance& stale) {
  solver_.clean_up(stale.state.presented, [this, number = stale.generation](Solver::CleanUpReport) {
    world_.files.run(store_.drop_issuance(spec_.name, number), [this](Result<void> dropped) {
      if (!dropped) return done_(fail(dropped.error()));
      begin();
    });
  });
}

void Renewal::begin() {
  if (spec_.reuse_key) {
    if (newest_) {
      const auto key = store_.load_key(*newest_);
      if (key && key->type() == spec_.key_type) return save_key(*key);
    }
  }
  world_.key_maker.generate(spec_.key_type, [this](Result<PrivateKey> key) {
    if (!key) return done_(fail(key.error()));
    save_key(*key);
  });
}

void Renewal::save_key(const PrivateKey& key) {
  world_.files.run(store_.save_new_key(spec_.name, saved_.generation, key, spec_.group),
                   [this, key](Result<void> saved) {
                     if (saved) return run(key);
                     world_.files.run(
                         store_.drop_issuance(spec_.name, saved_.generation),
                         [this, error = saved.error()](Result<void>) { done_(fail(error)); });
                   });
}

void Renewal::run(const PrivateKey& key) {
  key_ = key;
  auto signing_request = acme::make_signing_request(key_, spec_.domains);
  if (!signing_request) return done_(fail(signing_request.error()));
  acme::IssuanceRequest request;
  request.identifiers = spec_.domains;
  request.challenge_type = solver_.challenge_type();
  request.thumbprint = ca_.session().thumbprint();
  request.signing_request = std::move(*signing_request);
  request.profile = saved_.profile;
  request.replaces = predecessor();
  request.preferred_chain = ca_.config().preferred_chain;
  issuance_.emplace(std::move(request), saved_.state);
  drive(event::Start{});
}

// The ARI identifier of the certificate that this one replaces; only the CA and account that
// issued it may be told of it. The flow drops it at the first refusal. [RFC 9773 §5]
std::string Renewal::predecessor() const {
  const auto& newest = newest_;
  const auto& directory = ca_.session().directory();
  const bool same_issuer = newest && newest->ca_directory == saved_.ca_directory &&
                           newest->account_url == saved_.account_url &&
                           !newest->account_url.empty();
  if (!same_issuer || !directory || directory->renewal_info.empty()) return {};
  return acme::renewal_certificate_id(newest->leaf());
}

// ---- the flow

void Renewal::drive(const acme::IssuanceEvent& event) {
  save_then(issuance_->step(event, world_.clock.now()));
}

void Renewal::save_then(acme::IssuanceEffect effect) {
  // Finished drops the saved issuance together with naming the generation.
  const bool finished = std::holds_alternative<effect::Finished>(effect);
  if (finished || issuance_->state() == saved_.state) return carry_out(effect);
  saved_.state = issuance_->state();
  const bool nothing = saved_.state == acme::IssuanceState{};
  // An order that is replaced by another leaves its key to that one.
  world_.files.run(
      nothing ? store_.drop_order(spec_.name) : store_.save_issuance(spec_.name, saved_),
      [this, effect = std::move(effect)](Result<void> saved) {
        const bool harmless = std::holds_alternative<effect::CleanUp>(effect) ||
                              std::holds_alternative<effect::Failed>(effect);
        if (!saved && !harmless) return refuse(saved.error());
        carry_out(effect);
      });
}

// The disk failed us in the middle of the flow: take the proofs away, keep what is saved.
void Renewal::refuse(Error error) {
  solver_.clean_up(saved_.state.presented,
                   [this, error = std::move(error)](Solver::CleanUpReport) { done_(fail(error)); });
}

void Renewal::carry_out(const acme::IssuanceEffect& effect) {
  std::visit([this](const auto& alternative) { carry_out(alternative); }, effect);
}

void Renewal::carry_out(const effect::Send& effect) {
  info("CALL", effect.call.context);
  ca_.send(effect.call,
           [this](Result<HttpResponse> reply) { drive(event::Replied{std::move(reply)}); });
}

void Renewal::carry_out(const effect::Present& effect) {
  info("CHALLENGES_PRESENTED",
       "presenting " + std::to_string(effect.challenges.size()) + " proof(s) of control");
  solver_.present(effect.challenges,
                  [this](Result<void> outcome) { drive(event::Presented{std::move(outcome)}); });
}

void Renewal::carry_out(const effect::CleanUp& effect) {
  solver_.clean_up(effect.challenges, [this](Solver::CleanUpReport report) {
    hint_ = report.hint;
    if (!report.left_behind.empty()) {
      events_.emit(Severity::warning, spec_.name, "CHALLENGE_LEFT_BEHIND", report.left_behind);
    }
    drive(event::CleanedUp{});
  });
}

void Renewal::carry_out(const effect::Wait& effect) {
  info("WAITING", effect.reason + "; next look in " + acme::format_duration(effect.duration));
  world_.clock.start_timer(effect.duration, [this] { drive(event::TimerFired{}); });
}

void Renewal::carry_out(const effect::Finished& effect) {
  if (!effect.note.empty()) {
    events_.emit(Severity::warning, spec_.name, "PREFERRED_CHAIN_NOT_OFFERED", effect.note);
  }
  const Time now = world_.clock.now();
  const auto sound = acme::check_issued_chain(effect.chain, key_, spec_.domains, now);
  if (!sound) {
    world_.files.run(store_.drop_issuance(spec_.name, saved_.generation),
                     [this, error = sound.error()](Result<void>) { done_(fail(error)); });
    return;
  }
  world_.files.run(store_.complete_generation(spec_.name, saved_, effect.chain, now),
                   [this](Result<void> completed) {
                     // What can be read is issued, even where the last sync failed.
                     auto generation = store_.load_generation(spec_.name, saved_.generation);
                     if (completed) return done_(std::move(generation));
                     if (!generation) return done_(fail(completed.error()));
                     events_.emit(Severity::warning, spec_.name, completed.error().code,
                                  completed.error().message);
                     done_(std::move(generation));
                   });
}

void Renewal::carry_out(const effect::Failed& effect) {
  Error error = effect.error;
  if (error.kind == ErrorKind::validation && !hint_.empty()) error.message += "; " + hint_;
  saved_.stuck = saved_.stuck || error.kind != ErrorKind::local;
  world_.files.run(effect.order_kept ? store_.save_issuance(spec_.name, saved_)
                                     : store_.drop_issuance(spec_.name, saved_.generation),
                   [this, error = std::move(error)](Result<void>) { done_(fail(error)); });
}

void Renewal::info(const char* code, std::string message) {
  events_.emit(Severity::info, spec_.name, code, std::move(message));
}

}  // namespace nolapse
