#include "agent/core/rehearsal.h"

#include <algorithm>

#include "agent/core/caa_check.h"
#include "agent/core/used_proofs.h"

namespace nolapse {

Rehearsal::Rehearsal(RehearsalParts parts, const CertificateSpec& spec, const CaConfig& ca)
    : parts_(std::move(parts)), spec_(spec), ca_(ca) {}

void Rehearsal::start(std::function<void(RehearsalOutcome)> done) {
  done_ = std::move(done);
  began_ = parts_.world.clock.uptime();
  if (auto schedule = parts_.production.load_schedule(spec_.name)) {
    schedule_ = std::move(*schedule);
  }
  if (auto newest = parts_.production.newest_generation(spec_.name)) newest_ = std::move(*newest);
  challenges_left_ = spec_.challenges;
  const auto first =
      std::find(challenges_left_.begin(), challenges_left_.end(), schedule_.challenge);
  if (first != challenges_left_.end()) std::rotate(challenges_left_.begin(), first, first + 1);
  next_challenge();
  parts_.left_behind.try_again(spec_.name, parts_.solver, [this] { remove_what_was_left(); });
}

// A rehearsal that was killed may have left what it obtained.
void Rehearsal::remove_what_was_left() {
  FileWork work;
  for (const unsigned number :
       parts_.store.generation_numbers(spec_.name).value_or(std::vector<unsigned>())) {
    for (FileOperation& operation : parts_.store.remove_generation(spec_.name, number)) {
      work.push_back(std::move(operation));
    }
  }
  parts_.world.files.run(std::move(work), [this](const Result<void>& removed) {
    if (!removed) return failed(removed.error());
    begin();
  });
}

void Rehearsal::begin() {
  if (ca_.staging.empty()) return go_without_order("no staging directory is configured");
  staging().prepare([this](const Result<void>& ready) {
    if (!ready) return failed(ready.error());
    look_at_caa();
  });
}

void Rehearsal::next_challenge() {
  challenge_ = challenges_left_.front();
  challenges_left_.erase(challenges_left_.begin());
}

// ---- records that name an account

// Where the CAA records let the production account in and not the one here, an order would only
// fail by what is right. [RFC 8657 §3]
void Rehearsal::look_at_caa() {
  const auto account = parts_.production.load_account(ca_.name);
  const acme::Session& session = staging().session();
  acme::CaaRequest request{
      session.directory() ? session.directory()->caa_identities : std::vector<std::string>{},
      session.account_url(), solver().challenge_type()};
  acme::CaaRequest of_production = request;
  of_production.account_url = account && *account ? (*account)->url : std::string();
  nolapse::check_caa(parts_.world, spec_.domains, std::move(request),
                     [this, of_production](const std::vector<CaaRefusal>& refusals) {
                       if (refusals.empty()) return look_at_persist_record();
                       nolapse::check_caa(
                           parts_.world, spec_.domains, of_production,
                           [this](const std::vector<CaaRefusal>& also) {
                             if (!also.empty()) return order();
                             go_without_order("the CAA records name the production account");
                           });
                     });
}

void Rehearsal::look_at_persist_record() {
  if (solver().challenge_type() != acme::persist_type) return order();
  solver().await_proof(probes_for(staging()), Solver::Patience::brief,
                       [this](const Solver::ProofReport& report) {
                         if (report.seen) return order();
                         go_without_order("the dns-persist-01 records name the production account");
                       });
}

// ---- the order

bool Rehearsal::unseen_before() const {
  return schedule_.proof && schedule_.proof->challenge == challenge_ && !schedule_.proof->seen;
}

void Rehearsal::order() {
  Renewal::Request request{spec_, challenge_};
  request.patient = true;
  request.unseen_before = unseen_before();
  request.wait_for_person = true;
  request.rehearsal = true;
  renewal_ = std::make_unique<Renewal>(parts_.world, parts_.store, parts_.events, staging(),
                                       solver(), parts_.left_behind, std::move(request));
  renewal_->start([this](Result<Generation> generation) {
    // Late, because the attempt that reports this may be replaced by the next.
    parts_.world.clock.start_timer(
        Duration{0}, [this, generation = std::move(generation)] { ordered(generation); });
  });
}

void Rehearsal::ordered(Result<Generation> generation) {
  if (!generation) return failed(generation.error(), renewal_->proof_failed());
  generation_ = std::move(*generation);
  proof_fresh_ = std::all_of(
      spec_.domains.begin(), spec_.domains.end(),
      [this](const acme::Identifier& name) { return renewal_->proved().contains(name.value); });
  end_valid_authorizations(staging(), generation_->order_url, [this](const Result<void>& ended) {
    if (!ended) {
      parts_.events.emit(Severity::warning, spec_.name, "AUTHORIZATION_KEPT",
                         "an authorization could not be ended, the next rehearsal has to: " +
                             ended.error().message);
    }
    if (proof_fresh_) return rehearse_hooks();
    if (!once_more_) return order_once_more();
    not_shown_.emplace_back("a fresh proof: the CA went by an earlier one");
    rehearse_hooks();
  });
}

void Rehearsal::order_once_more() {
  once_more_ = true;
  parts_.events.emit(Severity::info, spec_.name, "PROOF_NOT_FRESH",
                     "the CA went by an earlier proof, which is ended now; ordering once more");
  remove_generation([this] { order(); });
}

void Rehearsal::remove_generation(const std::function<void()>& then) {
  if (!generation_) return then();
  parts_.world.files.run(parts_.store.remove_generation(spec_.name, generation_->number),
                         [this, then](const Result<void>& removed) {
                           if (!removed) {
                             parts_.events.emit(Severity::warning, spec_.name, removed.error().code,
                                                removed.error().message);
                           }
                           generation_.reset();
                           then();
                         });
}

// ---- the hooks

void Rehearsal::rehearse_hooks() {
  const auto& generation = with_order_ ? generation_ : newest_;
  if (!generation) {
    if (!spec_.deploy.empty()) {
      not_shown_.emplace_back("the deployment: there is no certificate yet to try it with");
    }
    return end();
  }
  nolapse::rehearse_hooks(parts_.world, parts_.turns, parts_.events, parts_.config, spec_,
                          *generation,
                          [this](HookRehearsal hooks) { rehearsed_hooks(std::move(hooks)); });
}

void Rehearsal::rehearsed_hooks(HookRehearsal hooks) {
  for (std::string& what : hooks.not_shown) not_shown_.push_back(std::move(what));
  remove_generation([this, error = std::move(hooks.error)] { end(error); });
}

// ---- the end

// A renewal would go by the next challenge; that the first one fails is to be seen all the same.
void Rehearsal::failed(const Error& error, bool by_proof) {
  if (!by_proof || challenges_left_.empty()) return end(error);
  not_shown_.push_back("the challenge " + challenge_ + ", which failed: " + error.message);
  next_challenge();
  with_order_ ? order() : prove();
}

// What an attempt by another challenge left behind is not to wait for the next rehearsal.
void Rehearsal::end(std::optional<Error> error) {
  parts_.left_behind.try_again(spec_.name, parts_.solver,
                               [this, error = std::move(error)] { report(error); });
}

void Rehearsal::report(std::optional<Error> error) {
  const Time now = parts_.world.clock.now();
  RehearsalOutcome outcome;
  outcome.ca = ca_.name;
  RehearsalRecord& record = outcome.record;
  record.at = now;
  record.result = error                ? RehearsalResult::failed
                  : not_shown_.empty() ? RehearsalResult::passed
                                       : RehearsalResult::partial;
  record.not_shown = std::move(not_shown_);
  if (error) record.error = save_error(*error, now);
  record.proof_fresh = proof_fresh_;
  record.took = parts_.world.clock.uptime() - began_;
  record.configuration = digest_of(spec_, parts_.config);
  if (!error) record.proven = parts_of(spec_, parts_.config, parts_.world.files);
  record.staging = ca_.staging;
  outcome.error = std::move(error);
  done_(std::move(outcome));
}

}  // namespace nolapse
