// What the order flow asks for, carried out: each effect after what it relies on is durable.
#include <algorithm>

#include "acme/x509_issuer.h"
#include "agent/core/issuer_anchors.h"
#include "agent/core/renewal.h"

namespace nolapse {

using acme::HttpResponse;
namespace event = acme::event;
namespace effect = acme::effect;

void Renewal::drive(const acme::IssuanceEvent& event) {
  save_then(issuance_->step(event, world_.clock.now()));
}

void Renewal::save_then(acme::IssuanceEffect effect) {
  // Finished drops the saved issuance together with naming the generation.
  const bool finished = std::holds_alternative<effect::Finished>(effect);
  if (finished || issuance_->state() == saved_.state) return carry_out(effect);
  const bool placed = !issuance_->state().order_url.empty() &&
                      issuance_->state().order_url != saved_.state.order_url;
  saved_.state = issuance_->state();
  const bool nothing = saved_.state == acme::IssuanceState{};
  // An order that is replaced by another leaves its key to that one.
  world_.files.run(nothing ? store_.drop_order(request_.spec.name)
                           : store_.save_issuance(request_.spec.name, saved_),
                   [this, placed, effect = std::move(effect)](Result<void> saved) {
                     const bool harmless = std::holds_alternative<effect::CleanUp>(effect) ||
                                           std::holds_alternative<effect::Failed>(effect);
                     std::optional<Error> refusal;
                     if (!saved && !harmless) refusal = saved.error();
                     const auto go_on = [this, refusal, effect] {
                       if (refusal) return refuse(*refusal);
                       carry_out(effect);
                     };
                     if (!placed) return go_on();
                     count_order(go_on);
                   });
}

// The CA has counted it, whether or not our disk took it.
void Renewal::count_order(const std::function<void()>& then) {
  if (order_kind_ == OrderKind::inside_window && !issuance_->replaces()) {
    order_kind_ = OrderKind::same_set;
  }
  creation_held_.reset();
  ca_.ledger().tell([this](RateLedger& ledger, Time now) { ledger.record_order(order_kind_, now); },
                    then);
}

// The disk failed us in the middle of the flow: take the proofs away, keep what is saved.
void Renewal::refuse(Error error) {
  clean_up(saved_.state.presented, [this, error = std::move(error)] { done_(fail(error)); });
}

void Renewal::carry_out(const acme::IssuanceEffect& effect) {
  std::visit([this](const auto& alternative) { carry_out(alternative); }, effect);
}

void Renewal::carry_out(const effect::Send& effect) {
  info("CALL", effect.call.context);
  enter(TimeSpent::Phase::ca);
  ca_.send(effect.call, [this](Result<HttpResponse> reply) {
    enter(TimeSpent::Phase::nolapse);
    drive(event::Replied{std::move(reply)});
  });
}

void Renewal::carry_out(const effect::Present& effect) {
  info("CHALLENGES_PRESENTED",
       "presenting " + std::to_string(effect.challenges.size()) + " proof(s) of control");
  enter(TimeSpent::Phase::proof);
  solver_.present(effect.challenges, [this, challenges = effect.challenges](Result<void> outcome) {
    proof_failed_ = !outcome;
    for (const acme::PresentedChallenge& proof : challenges) proved_.insert(proof.ordered_name());
    if (!outcome) enter(TimeSpent::Phase::nolapse);
    if (!outcome) return drive(event::Presented{std::move(outcome)});
    look_at_proofs(challenges);
  });
}

// What cannot be seen from here may still be seen by the CA: the look delays and warns, it never
// decides.
void Renewal::look_at_proofs(const std::vector<acme::PresentedChallenge>& challenges) {
  using Patience = Solver::Patience;
  solver_.await_proof(challenges, request_.unseen_before ? Patience::brief : Patience::full,
                      [this](const Solver::ProofReport& report) { looked_at_proofs(report); });
}

void Renewal::looked_at_proofs(const Solver::ProofReport& report) {
  enter(TimeSpent::Phase::nolapse);
  proof_ = SavedProof{request_.challenge, world_.clock.now(), report.took, report.seen};
  proof_until_ = report.until;
  if (!report.to_be_set.empty() && request_.wait_for_person) {
    proof_failed_ = true;
    return drive(event::Presented{fail(ErrorKind::input, "PROOF_TO_BE_SET",
                                       report.text + "; set this record: " + report.to_be_set)});
  }
  if (report.seen) {
    // Others show it. The one that does not is a worry for later.
    const bool everywhere = report.cause == Solver::ProofReport::Cause::none;
    events_.emit(everywhere ? Severity::info : Severity::warning, request_.spec.name, "PROOF_SEEN",
                 report.text);
  } else {
    events_.emit(Severity::warning, request_.spec.name, "PROOF_NOT_SEEN",
                 report.text + "; the CA is asked all the same");
  }
  drive(event::Presented{});
}

void Renewal::carry_out(const effect::CleanUp& effect) {
  clean_up(effect.challenges, [this] { drive(event::CleanedUp{}); });
}

void Renewal::carry_out(const effect::Wait& effect) {
  info("WAITING", effect.reason + "; next look in " + acme::format_duration(effect.duration));
  enter(TimeSpent::Phase::waiting);
  world_.clock.start_timer(effect.duration, [this] {
    enter(TimeSpent::Phase::nolapse);
    drive(event::TimerFired{});
  });
}

void Renewal::carry_out(const effect::Finished& effect) {
  if (!effect.note.empty()) {
    events_.emit(Severity::warning, request_.spec.name, "PREFERRED_CHAIN_NOT_OFFERED", effect.note);
  }
  if (!saved_.profile.empty() && !effect.profile.empty() && effect.profile != saved_.profile) {
    events_.emit(Severity::warning, request_.spec.name, "PROFILE_NOT_AS_ASKED",
                 ca_.config().name + " issued by its profile \"" +
                     acme::printable(effect.profile, 60) + "\", not by \"" + saved_.profile + "\"");
  }
  tell_of_other_lifetime(effect.chain.front());
  tell_of_ending_proof(effect.chain.front());
  outcome_held_.reset();
  // The CA has counted it, whatever is wrong with it.
  ca_.ledger().tell(
      [this](RateLedger& ledger, Time at) {
        ledger.record_certificate(saved_.identifiers, order_kind_, at);
      },
      [this, chain = effect.chain] { check_issued(chain); });
}

// Before anything of what is in use changes.
void Renewal::check_issued(const std::vector<acme::Certificate>& chain) {
  const Time now = ca_.time().value_or(world_.clock.now());
  auto sound = acme::check_issued_chain(
      chain, own_request_ ? own_request_->public_key_der : key_.public_key_der(),
      request_.spec.domains, now);
  if (sound) sound = check_issuer(chain, now);
  if (sound) return complete(chain);
  world_.files.run(store_.drop_issuance(request_.spec.name, saved_.generation),
                   [this, error = sound.error()](Result<void>) { done_(fail(error)); });
}

// Many a private CA issues below a root that nobody named here: its certificates go on, and are
// told. Nobody is to get what no client trusts in the place of what it does.
Result<void> Renewal::check_issuer(const std::vector<acme::Certificate>& chain, Time now) {
  if (!anchors_.empty()) return acme::check_issuer(chain, anchors_, "in issuer_roots", now);
  if (request_.rehearsal) return acme::check_issuer_present(chain, now);
  auto known = check_known_issuer(world_.files, ca_.config(), chain, now);
  if (known) return known;
  if (auto present = acme::check_issuer_present(chain, now); !present) return present;
  if (must_be_known(ca_.config())) return known;
  events_.emit(Severity::warning, request_.spec.name, "ISSUER_UNKNOWN",
               "it is used, but " + known.error().message);
  return {};
}

// The CA's certificates led to an anchor so far. Of a new one nobody knows that: a staging CA has
// an API that every system trusts, and certificates that none does.
bool Renewal::must_be_known(const CaConfig& ca) const {
  if (!newest_ || newest_->ca_directory != saved_.ca_directory) return false;
  const auto text = world_.files.read(newest_->directory + "/fullchain.pem");
  const auto former = text ? acme::parse_pem_chain(*text) : fail(text.error());
  if (!former) return false;
  return check_known_issuer(world_.files, ca, *former, former->front().not_before).has_value();
}

void Renewal::complete(const std::vector<acme::Certificate>& chain) {
  // By the CA's clock, as the certificate's own dates are.
  const Time now = ca_.time().value_or(world_.clock.now());
  world_.files.run(store_.complete_generation(request_.spec.name, saved_, chain, now),
                   [this](Result<void> completed) {
                     // What can be read is issued, even where the last sync failed.
                     auto generation =
                         store_.load_generation(request_.spec.name, saved_.generation);
                     if (completed) return done_(std::move(generation));
                     if (!generation) return done_(fail(completed.error()));
                     events_.emit(Severity::warning, request_.spec.name, completed.error().code,
                                  completed.error().message);
                     done_(std::move(generation));
                   });
}

namespace {

bool is_about_the_account(const Error& error) {
  const auto document = acme::parse_object(error.problem, "problem");
  if (!document) return false;
  const acme::Problem problem = acme::parse_problem(*document);
  return problem.type == "rateLimited" && limits_the_account(problem.detail);
}

}  // namespace

void Renewal::carry_out(const effect::Failed& effect) {
  Error error = effect.error;
  if (error.kind == ErrorKind::validation && !hint_.empty()) error.message += "; " + hint_;
  if (error.code == "CA_CAA") {
    error.message +=
        caa_.empty() ? "; seen from here, the CAA records allow it" : "; seen from here: " + caa_;
  }
  saved_.stuck = saved_.stuck || error.kind != ErrorKind::local;
  refused_ = effect.refused;
  proof_failed_ =
      proof_failed_ || error.kind == ErrorKind::validation || error.code == "CHALLENGE_NOT_OFFERED";
  note_rejected_names(error);
  outcome_held_.reset();
  ca_.ledger().tell(
      [this, &effect, &error](RateLedger& ledger, Time now) {
        for (const auto& name : effect.refused) ledger.record_failed_validation(name, now);
        if (effect.issued) ledger.record_certificate(saved_.identifiers, order_kind_, now);
        if (error.kind == ErrorKind::deferred && !error.problem.empty() && error.retry_after) {
          ledger.record_retry_after(saved_.identifiers, *error.retry_after, now);
          if (is_about_the_account(error)) {
            ledger.record_account_retry_after(*error.retry_after, now);
          }
        }
      },
      [this, error, kept = effect.order_kept] { give_up(error, kept); });
}

// A CA that will not have some of the names says which. [RFC 8555 §6.7.1]
void Renewal::note_rejected_names(const Error& error) {
  if (error.kind != ErrorKind::input && error.kind != ErrorKind::validation) return;
  const auto problem = acme::parse_object(error.problem, "problem");
  if (!problem) return;
  for (const acme::Subproblem& part : acme::parse_problem(*problem).subproblems) {
    for (const acme::Identifier& name : request_.spec.domains) {
      if (name.value != part.identifier) continue;
      if (std::find(refused_.begin(), refused_.end(), name) == refused_.end()) {
        refused_.push_back(name);
      }
    }
  }
}

void Renewal::give_up(const Error& error, bool order_kept) {
  world_.files.run(order_kept ? store_.save_issuance(request_.spec.name, saved_)
                              : store_.drop_issuance(request_.spec.name, saved_.generation),
                   [this, error](Result<void>) { done_(fail(error)); });
}

}  // namespace nolapse
