// The rehearsal without an order: everything else that a renewal needs, at the production CA.
#include <algorithm>

#include "acme/base64url.h"
#include "acme/challenge_response.h"
#include "agent/core/caa_check.h"
#include "agent/core/rehearsal.h"

namespace nolapse {

using acme::PresentedChallenge;

void Rehearsal::go_without_order(const std::string& why) {
  with_order_ = false;
  not_shown_.push_back("an order: " + why);
  parts_.events.emit(Severity::info, spec_.name, "REHEARSAL_WITHOUT_ORDER",
                     "no order is placed at " + ca_.name + ": " + why);
  parts_.production_ca(ca_.name).work_on_account(
      AccountAction::show, [this](const AccountOutcome& account) { looked_at_account(account); });
}

void Rehearsal::looked_at_account(const AccountOutcome& account) {
  if (account.error) return failed(*account.error);
  if (account.status == "none") {
    if (account.external_account_required.value_or(false) && !account.external_account_configured) {
      return failed({ErrorKind::input,
                     "EAB_MISSING",
                     ca_.name + " wants an external account for its first order; set eab_key_id "
                                "and eab_hmac_key_file, which it hands out",
                     {},
                     {}});
    }
    not_shown_.push_back("an account: there is none at " + ca_.name +
                         " yet, the first order makes it");
  }
  look_at_caa_of_production();
}

void Rehearsal::look_at_caa_of_production() {
  const acme::Session& session = parts_.production_ca(ca_.name).session();
  acme::CaaRequest request{
      session.directory() ? session.directory()->caa_identities : std::vector<std::string>{},
      session.account_url(), solver().challenge_type()};
  nolapse::check_caa(parts_.world, spec_.domains, std::move(request),
                     [this](const std::vector<CaaRefusal>& refusals) {
                       if (refusals.empty()) return prove();
                       std::string text;
                       for (const CaaRefusal& refusal : refusals) {
                         text += (text.empty() ? "" : "; ") + refusal.text;
                       }
                       const bool looked_up =
                           std::all_of(refusals.begin(), refusals.end(),
                                       [](const CaaRefusal& refusal) { return refusal.looked_up; });
                       failed({looked_up ? ErrorKind::input : ErrorKind::transient,
                               "CAA_FORBIDS_CA",
                               "the DNS forbids " + ca_.name + " to issue: " + text +
                                   "; change the records, or use a CA that they allow",
                               {},
                               {}});
                     });
}

// ---- a proof that nobody asked for

namespace {

// [draft-ietf-acme-dns-persist-00 to -02]
acme::PersistRequest persist_request(const acme::Session& session, const std::string& domain,
                                     bool wildcard) {
  acme::PersistRequest wanted;
  wanted.wildcard = wildcard;
  wanted.account_uris = {session.account_url()};
  const auto& directory = session.directory();
  if (!directory) return wanted;
  wanted.issuers = directory->issuer_domain_names.empty() ? directory->caa_identities
                                                          : directory->issuer_domain_names;
  if (directory->account_hash_prefix.empty()) return wanted;
  wanted.account_uris.clear();
  for (const std::string& place : {domain, std::string("*")}) {
    wanted.account_uris.push_back(acme::persist_account_hash(
        directory->account_hash_prefix, place, session.thumbprint(), session.account_url()));
  }
  return wanted;
}

std::string random_token(Random& random) {
  std::string octets;
  for (int i = 0; i < 2; ++i) {
    std::uint64_t number = random.next();
    for (int j = 0; j < 8; ++j, number >>= 8) octets += static_cast<char>(number & 0xff);
  }
  return acme::base64url_encode(octets);
}

}  // namespace

// What the CA would ask for, as far as that is known without its challenges.
Rehearsal::Probes Rehearsal::probes_for(const CaClient& ca) const {
  const acme::Session& session = ca.session();
  const std::string type = solver().challenge_type();
  Probes probes;
  for (const acme::Identifier& name : spec_.domains) {
    PresentedChallenge probe;
    probe.wildcard = name.value.starts_with("*.");
    probe.identifier = {name.type, name.value.substr(probe.wildcard ? 2 : 0)};
    probe.type = type;
    if (type == acme::persist_type) {
      probe.persist = persist_request(session, probe.identifier.value, probe.wildcard);
    } else {
      probe.token = random_token(parts_.world.random);
      probe.key_authorization = acme::key_authorization(probe.token, session.thumbprint());
      probe.label = acme::dns_label(type, session.account_url());
    }
    probes.push_back(std::move(probe));
  }
  return probes;
}

// Noted before it is presented: should this process die, the next one takes it away.
void Rehearsal::prove() {
  const Probes probes = probes_for(parts_.production_ca(ca_.name));
  parts_.left_behind.note(spec_.name, {challenge_, probes}, [this, probes] { present(probes); });
}

void Rehearsal::present(const Probes& probes) {
  parts_.events.emit(Severity::info, spec_.name, "CHALLENGES_PRESENTED",
                     "presenting " + std::to_string(probes.size()) + " proof(s) for a look");
  solver().present(probes, [this, probes](const Result<void>& presented) {
    if (!presented) return take_probes_away(presented.error());
    solver().await_proof(probes, Solver::Patience::brief,
                         [this](const Solver::ProofReport& report) { looked_at_probes(report); });
  });
}

void Rehearsal::looked_at_probes(const Solver::ProofReport& report) {
  if (report.seen) {
    proof_fresh_ = true;
    return take_probes_away({});
  }
  if (!report.to_be_set.empty()) {
    return take_probes_away(Error{ErrorKind::input,
                                  "PROOF_TO_BE_SET",
                                  report.text + "; set this record: " + report.to_be_set,
                                  {},
                                  {}});
  }
  // A CA that saw the last proof sees more than this host.
  if (unseen_before()) {
    not_shown_.push_back("the proof, which cannot be seen from here: " + report.text);
    return take_probes_away({});
  }
  take_probes_away(Error{ErrorKind::validation,
                         "PROOF_NOT_SEEN",
                         report.text + "; the CA would probably not see it either",
                         {},
                         {}});
}

void Rehearsal::take_probes_away(std::optional<Error> error) {
  parts_.left_behind.try_again(spec_.name, parts_.solver, [this, error = std::move(error)] {
    if (error) return failed(*error, true);
    const auto left = parts_.store.load_left_proofs(spec_.name);
    if (left && left->proofs.empty()) return rehearse_hooks();
    failed({ErrorKind::local,
            "CHALLENGE_LEFT_BEHIND",
            "the proof of the challenge " + challenge_ +
                " could not be taken away; its removal is tried again by the next rehearsal",
            {},
            {}},
           true);
  });
}

}  // namespace nolapse
