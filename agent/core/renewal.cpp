#include "agent/core/renewal.h"

#include <algorithm>

#include "agent/core/caa_check.h"
#include "agent/core/own_request.h"
#include "agent/core/schedule.h"

namespace nolapse {

using acme::PrivateKey;
using namespace std::chrono_literals;

namespace {

constexpr Duration clock_tolerance = 1h;

bool is_same_order(const SavedIssuance& saved, const SavedIssuance& wanted) {
  return saved.ca == wanted.ca && saved.ca_directory == wanted.ca_directory &&
         saved.account_url == wanted.account_url && saved.challenge == wanted.challenge &&
         saved.profile == wanted.profile && saved.key_type == wanted.key_type &&
         saved.identifiers == wanted.identifiers;
}

}  // namespace

Renewal::Renewal(World world, const Store& store, EventStream& events, CaClient& ca, Solver& solver,
                 LeftBehind& left_behind, Request request)
    : world_(world),
      store_(store),
      events_(events),
      ca_(ca),
      solver_(solver),
      left_behind_(left_behind),
      request_(std::move(request)) {}

void Renewal::start(Completion<Generation> done) {
  done_ = [this, done = std::move(done)](Result<Generation> generation) {
    enter(TimeSpent::Phase::nolapse);
    key_held_.reset();
    creation_held_.reset();
    outcome_held_.reset();
    done(std::move(generation));
  };
  info("ISSUANCE_STARTED", "asking " + ca_.config().name + " for " +
                               join(request_.spec.domains, " ") +
                               (request_.reason.empty() ? "" : ": " + request_.reason));
  enter(TimeSpent::Phase::ca);
  ca_.prepare([this](Result<void> ready) {
    enter(TimeSpent::Phase::nolapse);
    if (!ready) return done_(fail(ready.error()));
    key_held_ = ca_.hold_key();
    if (auto refusal = refused_by_clock()) return done_(fail(std::move(*refusal)));
    take_up();
  });
}

// A clock that runs ahead makes every certificate look old, the one just issued too: renewing by
// it would spend the CA's limits for nothing.
std::optional<Error> Renewal::refused_by_clock() const {
  const auto time_of_ca = ca_.time();
  if (!request_.due_at || !time_of_ca || *time_of_ca + clock_tolerance >= *request_.due_at) {
    return {};
  }
  return Error{ErrorKind::local,
               "CLOCK_AHEAD",
               "this machine's clock is " +
                   acme::format_duration(world_.clock.now() - *time_of_ca) + " ahead of " +
                   ca_.config().name + "'s, by which the certificate is not due until " +
                   acme::format_rfc3339(*request_.due_at) +
                   "; set the clock (timedatectl shows whether it is synchronised)",
               {},
               {}};
}

SavedIssuance Renewal::wanted() const {
  SavedIssuance wanted;
  wanted.ca = ca_.config().name;
  wanted.ca_directory = ca_.config().directory;
  wanted.account_url = ca_.session().account_url();
  wanted.challenge = request_.challenge;
  wanted.profile = request_.spec.profile.empty() ? ca_.config().profile : request_.spec.profile;
  wanted.key_type = request_.spec.key_type;
  wanted.identifiers = request_.spec.domains;
  return wanted;
}

// An order that a CA does not bring to an end must not cost the certificate: it is given up after
// a day, or a sixth of what remains, or when a person asks again.
bool Renewal::is_worn_out(const SavedIssuance& issuance) const {
  // A person does not want to wait for an order that hangs.
  if (issuance.stuck && request_.asker != Who::daemon) return true;
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
  const auto number = store_.next_number(request_.spec.name);
  auto newest = store_.newest_generation(request_.spec.name);
  if (!number) return done_(fail(number.error()));
  if (newest) newest_ = std::move(*newest);
  saved_.generation = *number;
  if (auto refusal = refused_by_own_files()) return done_(fail(std::move(*refusal)));

  auto saved = store_.load_issuance(request_.spec.name);
  if (!saved) {
    events_.emit(Severity::warning, request_.spec.name, "STATE_UNREADABLE",
                 saved.error().message + "; a new order is placed");
    return begin();
  }
  if (!*saved) return begin();
  if (!is_same_order(**saved, saved_) || is_worn_out(**saved) || !take_up_pair_of(**saved)) {
    return drop_and_begin(**saved);
  }
  saved_ = std::move(**saved);
  info("ORDER_RESUMED", "going on with the order " + saved_.state.order_url);
  outcome_held_ = ca_.ledger().hold(costs_of_outcome(saved_.identifiers, order_kind_));
  run();
}

// False where what was saved with the order is lost, or not what is wanted any more.
bool Renewal::take_up_pair_of(const SavedIssuance& saved) {
  const CertificateSpec& spec = request_.spec;
  if (own_request_) {
    const auto request = store_.load_new_request(spec.name, saved.generation);
    if (!request || request->der != own_request_->der) return false;
    if (spec.key_file.empty()) return true;
  }
  const auto key = store_.load_new_key(spec.name, saved.generation);
  if (!key) return false;
  const bool old_key = newest_ && key->public_key_der() == newest_->leaf().public_key_der;
  if (old_key && !spec.reuse_key && spec.key_file.empty()) return false;
  key_ = *key;
  return true;
}

// What the operator brings cannot be used. Reads his signing request and the issuer's anchors.
std::optional<Error> Renewal::refused_by_own_files() {
  const CertificateSpec& spec = request_.spec;
  if (!spec.csr_file.empty()) {
    auto request = read_own_request(world_.files, spec);
    if (!request) {
      Error error = request.error();
      error.message = "csr_file " + error.message;
      return error;
    }
    own_request_ = std::move(*request);
  }
  if (const std::string& roots = ca_.config().issuer_roots_file; !roots.empty()) {
    auto anchors = world_.files.read(roots);
    if (!anchors) {
      Error error = anchors.error();
      error.message = "issuer_roots " + error.message;
      return error;
    }
    anchors_ = std::move(*anchors);
  }
  if (request_.compromised_key.empty() ||
      own_public_key(world_.files, spec) != request_.compromised_key) {
    return {};
  }
  return Error{ErrorKind::input,
               "KEY_COMPROMISED",
               "the certificate is revoked because its key is compromised, and " +
                   (own_request_ ? "csr_file " + spec.csr_file : "key_file " + spec.key_file) +
                   " is still of that key; make a new key",
               {},
               {}};
}

void Renewal::drop_and_begin(const SavedIssuance& stale) {
  const auto drop = [this, number = stale.generation] {
    world_.files.run(store_.drop_issuance(request_.spec.name, number),
                     [this](Result<void> dropped) {
                       if (!dropped) return done_(fail(dropped.error()));
                       begin();
                     });
  };
  // Another challenge's proofs are for its own solver to take away.
  if (stale.challenge == saved_.challenge) return clean_up(stale.state.presented, drop);
  left_behind_.note(request_.spec.name, {stale.challenge, stale.state.presented}, drop);
}

// What cannot be taken away now is noted, so that it is tried again.
void Renewal::clean_up(const std::vector<acme::PresentedChallenge>& challenges,
                       std::function<void()> then) {
  solver_.clean_up(
      challenges, [this, challenges, then = std::move(then)](const Solver::CleanUpReport& report) {
        hint_ = report.hint;
        if (report.left_behind.empty()) return then();
        events_.emit(Severity::warning, request_.spec.name, "CHALLENGE_LEFT_BEHIND",
                     report.left_behind + "; its removal is tried again at every look");
        left_behind_.note(request_.spec.name, {saved_.challenge, challenges}, then);
      });
}

OrderKind Renewal::order_kind() const {
  const OrderKind kind =
      kind_of_order(newest_, saved_.ca_directory, saved_.identifiers, world_.clock.now());
  const bool inside =
      kind == OrderKind::same_set && request_.inside_window && !predecessor().empty();
  return inside ? OrderKind::inside_window : kind;
}

// Our estimate spares the CA and a person's reserve.
std::optional<Error> Renewal::refused_by_ledger() {
  order_kind_ = order_kind();
  SavedLedger& ledger = ca_.ledger();
  RateVerdict verdict =
      request_.asker == Who::daemon && newest_
          ? ledger.may_renew(saved_.identifiers, order_kind_, little_is_left_from(newest_->leaf()))
          : ledger.may_order(saved_.identifiers, order_kind_, request_.asker);
  if (verdict.allowed && verdict.spends_last && request_.asker == Who::person) {
    verdict.allowed = false;
    verdict.text += ", and it would be the last; --again spends it";
  }
  if (verdict.allowed) {
    const bool told = request_.asker != Who::daemon || verdict.past_estimate;
    if (told && !verdict.text.empty()) info("RATE_LEDGER", verdict.text);
    return {};
  }
  over_our_count_ = verdict.limit != "retry_after";
  return Error{ErrorKind::deferred,
               "RATE_LEDGER",
               ca_.config().name + ": " + verdict.text,
               {},
               verdict.until};
}

void Renewal::begin() {
  if (auto refusal = refused_by_profile()) return done_(fail(std::move(*refusal)));
  if (auto refusal = refused_by_ledger()) return done_(fail(std::move(*refusal)));
  creation_held_ = ca_.ledger().hold(costs_of_creation(order_kind_));
  outcome_held_ = ca_.ledger().hold(costs_of_outcome(saved_.identifiers, order_kind_));
  check_caa();
}

// CAs drop profiles. A certificate of another kind than was asked for must not come unnoticed, but
// it is better than none. [draft-ietf-acme-profiles §4]
std::optional<Error> Renewal::refused_by_profile() {
  const auto& directory = ca_.session().directory();
  if (saved_.profile.empty() || !directory || directory->profiles.contains(saved_.profile)) {
    return {};
  }
  std::string offered;
  for (const auto& [name, description] : directory->profiles) {
    offered += (offered.empty() ? "" : ", ") + acme::printable(name, 60);
  }
  const std::string text = ca_.config().name + " offers no profile \"" + saved_.profile +
                           "\" (offered: " + (offered.empty() ? "none" : offered) + ")";
  if (newest_ && little_is_left(&newest_->leaf(), world_.clock.now())) {
    events_.emit(Severity::warning, request_.spec.name, "PROFILE_NOT_OFFERED",
                 text + "; little time is left, so the CA's default is taken");
    saved_.profile.clear();
    return {};
  }
  return Error{
      ErrorKind::input, "PROFILE_NOT_OFFERED", text + "; correct or remove `profile`", {}, {}};
}

// A CA that sees what we see would count a failed validation. The daemon looks twice before it
// lets the CA judge; a person is told and not kept waiting.
void Renewal::check_caa() {
  const acme::Session& session = ca_.session();
  acme::CaaRequest request{
      session.directory() ? session.directory()->caa_identities : std::vector<std::string>{},
      session.account_url(), solver_.challenge_type()};
  nolapse::check_caa(
      world_, request_.spec.domains, std::move(request), [this](std::vector<CaaRefusal> refusals) {
        for (const CaaRefusal& refusal : refusals) {
          caa_ += (caa_.empty() ? "" : "; ") + refusal.text;
        }
        if (caa_.empty()) return choose_key();
        const std::string text = "the DNS forbids " + ca_.config().name + " to issue: " + caa_;
        if (request_.patient) {
          const bool all_looked_up =
              std::all_of(refusals.begin(), refusals.end(),
                          [](const CaaRefusal& refusal) { return refusal.looked_up; });
          for (const CaaRefusal& refusal : refusals) refused_.push_back(refusal.identifier);
          return done_(fail(all_looked_up ? ErrorKind::input : ErrorKind::transient,
                            "CAA_FORBIDS_CA",
                            text + "; change the records, or use a CA that they allow"));
        }
        events_.emit(Severity::warning, request_.spec.name, "CAA_FORBIDS_CA",
                     text + "; the CA is asked all the same");
        choose_key();
      });
}

void Renewal::choose_key() {
  if (!request_.spec.key_file.empty()) {
    const auto pem = world_.files.read(request_.spec.key_file);
    const auto key = pem ? PrivateKey::from_pem(*pem) : Result<PrivateKey>(fail(pem.error()));
    Error error{ErrorKind::input, "BAD_PRIVATE_KEY", "not the key of csr_file", {}, {}};
    if (!key) {
      error = key.error();
    } else if (!own_request_ || own_request_->public_key_der == key->public_key_der()) {
      key_ = *key;
      return save_pair();
    }
    error.message = "key_file " + request_.spec.key_file + ": " + error.message;
    return done_(fail(std::move(error)));
  }
  if (own_request_) return save_pair();
  if (request_.spec.reuse_key) {
    if (newest_) {
      const auto key = store_.load_key(*newest_);
      if (key && key->type() == request_.spec.key_type) {
        key_ = *key;
        return save_pair();
      }
    }
  }
  world_.key_maker.generate(request_.spec.key_type, [this](Result<PrivateKey> key) {
    if (!key) return done_(fail(key.error()));
    key_ = *key;
    save_pair();
  });
}

void Renewal::save_pair() {
  const NewPair pair{key_, own_request_ ? acme::to_pem(*own_request_) : std::string()};
  world_.files.run(
      store_.save_new_pair(request_.spec.name, saved_.generation, pair, request_.spec.group),
      [this](Result<void> saved) {
        if (saved) return run();
        world_.files.run(store_.drop_issuance(request_.spec.name, saved_.generation),
                         [this, error = saved.error()](Result<void>) { done_(fail(error)); });
      });
}

void Renewal::run() {
  auto signing_request = own_request_ ? Result<std::string>(own_request_->der)
                                      : acme::make_signing_request(key_, request_.spec.domains,
                                                                   request_.spec.must_staple);
  if (!signing_request) return done_(fail(signing_request.error()));
  acme::IssuanceRequest request;
  request.identifiers = request_.spec.domains;
  request.challenge_type = solver_.challenge_type();
  request.thumbprint = ca_.session().thumbprint();
  request.account_url = ca_.session().account_url();
  if (const auto& directory = ca_.session().directory()) {
    request.issuer_domain_names = directory->issuer_domain_names;
    request.account_hash_prefix = directory->account_hash_prefix;
  }
  request.signing_request = std::move(*signing_request);
  request.profile = saved_.profile;
  if (request_.spec.lifetime) request.not_after = world_.clock.now() + *request_.spec.lifetime;
  request.replaces = predecessor();
  request.preferred_chain = ca_.config().preferred_chain;
  issuance_.emplace(std::move(request), saved_.state);
  drive(acme::event::Start{});
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

void Renewal::info(const char* code, std::string message) {
  events_.emit(Severity::info, request_.spec.name, code, std::move(message));
}

}  // namespace nolapse
