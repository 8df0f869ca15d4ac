#include "agent/core/checks/proof_probe.h"

#include <algorithm>
#include <map>

#include "acme/base64url.h"
#include "acme/challenge_response.h"
#include "agent/core/checks/choices.h"

namespace nolapse {
namespace {

using Cause = Solver::ProofReport::Cause;
using Context = std::shared_ptr<const CheckContext>;
using acme::PresentedChallenge;

// An order that is proved just now ends soon.
constexpr Duration pause_for_order = std::chrono::seconds(1);
constexpr int most_pauses = 20;
constexpr Duration oldest_order = std::chrono::hours(1);

std::string random_token(Random& random) {
  std::string octets;
  while (octets.size() < 32) {
    const std::uint64_t number = random.next();
    for (int shift = 0; shift < 64; shift += 8) octets += static_cast<char>(number >> shift & 255);
  }
  return acme::base64url_encode(octets);
}

std::string account_url(const CheckContext& context, const CaConfig& ca) {
  const auto account = context.store.load_account(ca.name);
  return account && *account && (*account)->is_at(ca.directory) ? (*account)->url : std::string();
}

bool is_dns(const std::string& type) {
  return type.starts_with("dns-");
}

// The codes of each type of challenge.
struct Codes {
  const char* not_presented;
  const char* no_answer;
  const char* wrong_answer;
  const char* not_removed;
};
Codes codes_of(const ChallengeConfig& challenge) {
  if (is_dns(challenge.type)) {
    return {"DNS01_WRITE_FAILED", "DNS01_NOT_SEEN", "DNS01_NOT_SEEN", "DNS01_CLEANUP_FAILED"};
  }
  if (challenge.type == "tls-alpn-01") {
    return {"TLSALPN01_UNREACHABLE", "TLSALPN01_UNREACHABLE", "TLSALPN01_UNREACHABLE",
            "TLSALPN01_UNREACHABLE"};
  }
  return {challenge.webroot.empty() ? "HTTP01_UNREACHABLE" : "WEBROOT_NOT_WRITABLE",
          "HTTP01_UNREACHABLE", "HTTP01_WRONG_ANSWER", "WEBROOT_NOT_WRITABLE"};
}

std::string fix_of(const std::string& code, const ChallengeConfig& challenge) {
  if (code == "PORT_IN_USE") {
    return "stop that process, or let it serve the proofs: `webroot` for http-01, passing on "
           "\"acme-tls/1\" for tls-alpn-01";
  }
  if (code == "WEBROOT_NOT_WRITABLE") {
    return "let the user who runs nolapse write in " + challenge.webroot +
           "/.well-known/acme-challenge";
  }
  if (code == "HTTP01_WRONG_ANSWER") {
    return challenge.webroot.empty()
               ? "let port " + std::to_string(challenge.validation_port) +
                     " of that address lead to " + challenge.listen + " of this host"
               : "let the web server serve " + challenge.webroot +
                     "/.well-known/acme-challenge for these names, without a redirect elsewhere";
  }
  if (code == "DNS01_WRITE_FAILED") {
    return "correct what the provider complains of in [challenge." + challenge.name + "]";
  }
  if (code == "DNS01_NOT_SEEN") {
    return "repair or remove the name server that the evidence names; or is the record written to "
           "a zone that nobody asks?";
  }
  if (code == "DNS01_CLEANUP_FAILED") {
    return "allow the removal of TXT records; remove this one by hand";
  }
  return "open port " + std::to_string(challenge.validation_port) +
         " to the world; correct or remove the A or AAAA record that leads elsewhere";
}

class Probe : public std::enable_shared_from_this<Probe> {
 public:
  Probe(Context context, const CheckSubject& subject, Solver& solver, CheckReport report)
      : context_(std::move(context)),
        spec_(*subject.certificate),
        challenge_(*subject.challenge),
        solver_(solver),
        report_(std::move(report)),
        severity_(severity_of_choice(spec_.challenges, challenge_.name)) {
    const auto& proof = context_->status_of(spec_).proof;
    if (proof && proof->challenge == challenge_.name) last_ = proof;
  }

  void start() {
    if (!make_proofs()) return end();
    begin();
  }

 private:
  // ---- what is proved

  bool make_proofs() {
    const CaConfig* ca = context_->config.find_ca(spec_.cas.front());
    const std::string account = ca == nullptr ? std::string() : account_url(*context_, *ca);
    // Its label is made of the account.
    if (challenge_.type == "dns-account-01" && account.empty()) {
      add("DNS01_WRITE_FAILED", FindingSeverity::unknown,
          "whether it can be proved is not known before there is an account",
          "there is no account at " + spec_.cas.front(), "nolapse renew " + spec_.name);
      return false;
    }
    for (const acme::Identifier& domain : spec_.domains) {
      PresentedChallenge proof;
      proof.identifier = domain;
      proof.wildcard = domain.value.starts_with("*.");
      if (proof.wildcard) proof.identifier.value.erase(0, 2);
      proof.type = challenge_.type;
      proof.token = random_token(context_->world.random);
      proof.key_authorization =
          acme::key_authorization(proof.token, random_token(context_->world.random));
      proof.label = acme::dns_label(challenge_.type, account);
      proofs_.push_back(std::move(proof));
    }
    return true;
  }

  // Of this or another certificate, in another process, too: some services know only all values of
  // a name at once, or only the last few.
  bool is_in_the_way() const {
    const Time now = context_->world.clock.now();
    for (const CertificateSpec& spec : context_->config.certificates) {
      const auto issuance = context_->store.load_issuance(spec.name);
      if (!issuance || !*issuance || now - (*issuance)->placed_at > oldest_order) continue;
      for (const PresentedChallenge& presented : (*issuance)->state.presented) {
        for (const PresentedChallenge& proof : proofs_) {
          if (presented.type == proof.type && presented.identifier == proof.identifier) return true;
        }
      }
    }
    return false;
  }

  // ---- present, look, take away

  void begin() {
    if (is_in_the_way()) return wait();
    solver_.present(proofs_, [self = shared_from_this()](const Result<void>& presented) {
      if (presented) return self->look();
      if (presented.error().code == "PROOF_UNDER_WAY") return self->wait();
      self->not_presented(presented.error());
    });
  }

  void wait() {
    if (++pauses_ > most_pauses) {
      add(codes_of(challenge_).no_answer, FindingSeverity::unknown,
          "it was not tried, because an order is being proved all the time",
          "by the same challenge, for one of " + names(proofs_),
          "see what that order waits for: nolapse status");
      return end();
    }
    context_->world.clock.start_timer(pause_for_order,
                                      [self = shared_from_this()] { self->begin(); });
  }

  void not_presented(const Error& error) {
    const bool port = error.code == "PORT_IN_USE";
    const char* code = port ? "PORT_IN_USE" : codes_of(challenge_).not_presented;
    add(code, severity_, "a proof cannot be put up for " + names(proofs_), error.message,
        fix_of(code, challenge_));
    // There may be something of it.
    solver_.clean_up(proofs_, [self = shared_from_this()](const auto&) { self->end(); });
  }

  void look() {
    open_ = proofs_.size();
    for (const PresentedChallenge& proof : proofs_) {
      solver_.await_proof(
          {proof}, Solver::Patience::brief,
          [self = shared_from_this(), &proof](const Solver::ProofReport& report) {
            if (report.cause != Cause::none && !self->is_known_to_be_slow(report)) {
              self->unseen_[{report.seen, report.cause == Cause::wrong_answer}].add(proof, report);
            }
            if (--self->open_ == 0) self->clean_up();
          });
    }
  }

  // A probe is not waited for as long as a proof. That the last one took longer is no fault.
  bool is_known_to_be_slow(const Solver::ProofReport& report) const {
    return is_dns(challenge_.type) && report.cause == Cause::wrong_answer && last_ && last_->seen &&
           last_->took > report.took;
  }

  void clean_up() {
    solver_.clean_up(proofs_, [self = shared_from_this()](const Solver::CleanUpReport& report) {
      self->add_unseen();
      if (!report.left_behind.empty()) {
        const char* code = codes_of(self->challenge_).not_removed;
        self->add(code, FindingSeverity::warning,
                  "a proof cannot be taken away again for " + self->names(self->proofs_),
                  report.left_behind, fix_of(code, self->challenge_));
      }
      self->end();
    });
  }

  // ---- what is said

  struct Unseen {
    std::vector<PresentedChallenge> proofs = {};
    std::string texts = {};

    void add(const PresentedChallenge& proof, const Solver::ProofReport& report) {
      proofs.push_back(proof);
      if (texts.size() < 1000) texts += (texts.empty() ? "" : "; ") + report.text;
    }
  };

  void add_unseen() {
    for (const auto& [how, unseen] : unseen_) {
      const auto [seen, wrong] = how;
      const Codes codes = codes_of(challenge_);
      const char* code = wrong ? codes.wrong_answer : codes.no_answer;
      std::string summary = "a proof is not seen for " + names(unseen.proofs);
      FindingSeverity severity = severity_;
      if (seen) {
        summary = "not all name servers show a proof for " + names(unseen.proofs);
        severity = FindingSeverity::warning;
      } else if (last_ && !last_->seen) {
        summary += ", which the CA saw the last time all the same";
        severity = FindingSeverity::warning;
      }
      add(code, severity, summary, unseen.texts, fix_of(code, challenge_));
    }
  }

  static std::string names(const std::vector<PresentedChallenge>& proofs) {
    std::vector<std::string> list;
    for (const PresentedChallenge& proof : proofs) {
      list.push_back((proof.wildcard ? "*." : "") + proof.identifier.value);
    }
    return listed(list);
  }

  // Nothing else tells findings of one code apart: there is one of each.
  void add(const char* code, FindingSeverity severity, const std::string& summary,
           std::string evidence, std::string fix) {
    const auto same = std::find_if(findings_.begin(), findings_.end(),
                                   [&](const Finding& finding) { return finding.code == code; });
    if (same != findings_.end()) {
      same->severity = std::max(same->severity, severity);
      same->evidence += "; " + evidence;
      return;
    }
    const bool second = severity_ == FindingSeverity::warning;
    findings_.push_back({code,
                         {},
                         {},
                         severity,
                         spec_.name + ": " + challenge_.type + " (challenge " + challenge_.name +
                             (second ? ", a second choice" : "") + "): " + summary,
                         std::move(evidence),
                         std::move(fix),
                         {}});
  }

  void end() { report_(std::move(findings_)); }

  const Context context_;
  const CertificateSpec& spec_;
  const ChallengeConfig& challenge_;
  Solver& solver_;
  const CheckReport report_;
  const FindingSeverity severity_;
  std::optional<SavedProof> last_;  // an order's, by this challenge
  std::vector<PresentedChallenge> proofs_;
  std::size_t open_ = 0;
  int pauses_ = 0;
  std::map<std::pair<bool, bool>, Unseen> unseen_;  // by: seen somewhere, something else answers
  std::vector<Finding> findings_;
};

}  // namespace

void probe_proof(std::shared_ptr<const CheckContext> context, const CheckSubject& subject,
                 Solver& solver, CheckReport report) {
  std::make_shared<Probe>(std::move(context), subject, solver, std::move(report))->start();
}

}  // namespace nolapse
