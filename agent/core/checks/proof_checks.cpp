// Would each proof of control succeed? Seen by a probe of each challenge; a permanent record, which
// is the operator's, is read for each CA.
#include "agent/core/checks/choices.h"
#include "agent/core/checks/families.h"
#include "agent/core/checks/proof_probe.h"
#include "agent/core/renewal.h"

namespace nolapse {
namespace {

using Context = std::shared_ptr<const CheckContext>;

// ---- the permanent record

// What is wrong with the record of one certificate for one CA.
class RecordCheck : public std::enable_shared_from_this<RecordCheck> {
 public:
  RecordCheck(Context context, const CheckSubject& subject, const CaConfig& ca,
              std::function<void(std::vector<Finding>)> done)
      : context_(std::move(context)),
        spec_(*subject.certificate),
        challenge_(*subject.challenge),
        ca_(ca),
        client_(context_->ca(ca.name)),
        severity_(std::min(severity_of_choice(spec_.cas, ca.name),
                           severity_of_choice(spec_.challenges, challenge_.name))),
        done_(std::move(done)) {}

  void start() {
    client_.prepare_existing([self = shared_from_this()](const Result<void>& ready) {
      if (!ready) return self->not_known(ready.error().message);
      self->look();
    });
  }

 private:
  void look() {
    const acme::Session& session = client_.session();
    const acme::Directory& directory = *session.directory();
    const std::string& account = session.account_url();
    if (account.empty()) return not_known("there is no account at " + ca_.name + " yet");
    acme::PersistRequest wanted;
    wanted.issuers = directory.issuer_domain_names.empty() ? directory.caa_identities
                                                           : directory.issuer_domain_names;
    if (wanted.issuers.empty()) return not_known("its directory does not say what it is called");
    wanted.account_uris = {account};
    std::vector<acme::PresentedChallenge> proofs;
    for (const acme::Identifier& domain : spec_.domains) {
      acme::PresentedChallenge proof;
      proof.identifier = domain;
      proof.wildcard = domain.value.starts_with("*.");
      if (proof.wildcard) proof.identifier.value.erase(0, 2);
      proof.type = challenge_.type;
      proof.persist = wanted;
      proof.persist.wildcard = proof.wildcard;
      for (const std::string& at : {proof.identifier.value, std::string("*")}) {
        if (directory.account_hash_prefix.empty()) break;
        proof.persist.account_uris.push_back(acme::persist_account_hash(
            directory.account_hash_prefix, at, session.thumbprint(), account));
      }
      proofs.push_back(std::move(proof));
    }
    context_->solver(challenge_.name)
        ->await_proof(
            std::move(proofs), Solver::Patience::brief,
            [self = shared_from_this()](const Solver::ProofReport& seen) { self->judge(seen); });
  }

  void judge(const Solver::ProofReport& report) {
    if (!report.seen) {
      const std::string fix = report.to_be_set.empty() ? "make the name servers show the record"
                                                       : "set this record: " + report.to_be_set;
      return end("PERSIST_RECORD_MISSING", severity_,
                 "its permanent record does not let " + ca_.name + " issue", report.text, fix);
    }
    const auto& generation = context_->status_of(spec_).generation;
    const auto early = report.until && generation
                           ? ends_too_early(*report.until, generation->leaf(), spec_.renew_before)
                           : std::nullopt;
    if (early) {
      return end("PERSIST_RECORD_EXPIRES", early->late ? severity_ : FindingSeverity::warning,
                 "its permanent record for " + ca_.name + " ends at " +
                     acme::format_rfc3339(*report.until),
                 std::string("before the ") +
                     (early->late ? "next renewal" : "renewal after the next") + ", about " +
                     acme::format_rfc3339(early->before),
                 "give it a later persistUntil");
    }
    if (report.cause == Solver::ProofReport::Cause::none) return done_({});
    end("PERSIST_RECORD_MISSING", FindingSeverity::warning,
        "not all name servers show its permanent record for " + ca_.name, report.text,
        "repair or remove the name server that the evidence names");
  }

  void not_known(const std::string& why) {
    end("PERSIST_RECORD_MISSING", FindingSeverity::unknown,
        "whether its permanent record lets " + ca_.name + " issue is not known", why,
        "see what else is found about " + ca_.name + "; nolapse account show");
  }

  void end(const char* code, FindingSeverity severity, const std::string& summary,
           std::string evidence, std::string fix) {
    done_({{code,
            {},
            "challenge " + challenge_.name + ", CA " + ca_.name,
            severity,
            spec_.name + ": " + summary,
            std::move(evidence),
            std::move(fix),
            {}}});
  }

  const Context context_;
  const CertificateSpec& spec_;
  const ChallengeConfig& challenge_;
  const CaConfig& ca_;
  CaClient& client_;
  const FindingSeverity severity_;
  const std::function<void(std::vector<Finding>)> done_;
};

void check_record(const Context& context, const CheckSubject& subject, const CheckReport& report) {
  struct Gathering {
    std::size_t open = 1;
    std::vector<Finding> findings = {};
  };
  const auto gathering = std::make_shared<Gathering>();
  const auto close_one = [gathering, report](const std::vector<Finding>& findings) {
    auto& all = gathering->findings;
    all.insert(all.end(), findings.begin(), findings.end());
    if (--gathering->open == 0) report(std::move(all));
  };
  for (const std::string& name : subject.certificate->cas) {
    const CaConfig* ca = context->config.find_ca(name);
    if (ca == nullptr) continue;
    ++gathering->open;
    std::make_shared<RecordCheck>(context, subject, *ca, close_one)->start();
  }
  close_one({});
}

// The first code of all stands for no challenge but its own when all is well.
const char* code_of(const std::string& type) {
  if (type == acme::persist_type) return "PERSIST_RECORD_MISSING";
  if (type == "tls-alpn-01") return "TLSALPN01_UNREACHABLE";
  return type == "http-01" ? "HTTP01_UNREACHABLE" : "DNS01_NOT_SEEN";
}

void check_proof(const Context& context, const CheckSubject& subject, const CheckReport& report) {
  const std::string& type = subject.challenge->type;
  const auto end = [code = code_of(type), report](std::vector<Finding> findings) {
    if (findings.empty()) findings.push_back({code, {}, {}, FindingSeverity::ok, {}, {}, {}, {}});
    report(std::move(findings));
  };
  if (type == acme::persist_type) return check_record(context, subject, end);
  probe_proof(context, subject, *context->solver(subject.challenge->name), end);
}

std::vector<CodePage> pages() {
  return {
      {"HTTP01_UNREACHABLE", "nothing answers where a CA fetches an http-01 proof",
       "A firewall, a router without port forwarding, a web server that is down, or an A or AAAA "
       "record that leads to another host.",
       "curl -v --connect-to ::ADDRESS: http://NAME/.well-known/acme-challenge/x",
       "Open port 80 to the world, or correct or remove the record. An AAAA record counts, too."},
      {"HTTP01_WRONG_ANSWER", "something else answers where a CA fetches an http-01 proof",
       "Another host, another virtual host, a redirect or a login page stands in the way, or the "
       "webroot is not the one that is served.",
       "echo test >WEBROOT/.well-known/acme-challenge/test; curl -vL "
       "http://NAME/.well-known/acme-challenge/test",
       "Let the web server serve that folder for the name as it is, or let the port lead to "
       "`listen`."},
      {"PORT_IN_USE", "another process has the port of a proof",
       "A web server was installed or configured to listen there.", "ss -ltnp 'sport = :80'",
       "Stop it, or use `webroot` (http-01) or let it pass on \"acme-tls/1\" (tls-alpn-01)."},
      {"WEBROOT_NOT_WRITABLE", "proofs cannot be put into the webroot, or not taken away",
       "The folder is gone, belongs to somebody else, or the disk is full or read-only.",
       "sudo -u nolapse touch WEBROOT/.well-known/acme-challenge/test",
       "Give the user who runs nolapse the right to write there."},
      {"TLSALPN01_UNREACHABLE", "a CA would not see a tls-alpn-01 proof",
       "Port 443 does not lead here, or whoever has it does not pass on \"acme-tls/1\".",
       "openssl s_client -connect ADDRESS:443 -servername NAME -alpn acme-tls/1 </dev/null",
       "Open the port, correct the address record, or pass the protocol on to `listen`."},
      {"DNS01_WRITE_FAILED", "a TXT record cannot be written",
       "A token or key has expired or may not change this zone, the provider is down, or the zone "
       "moved to another provider.",
       "What the evidence says, in the provider's own words.",
       "Correct the settings of the challenge; see that the zone is still at this provider."},
      {"DNS01_NOT_SEEN", "name servers do not show a TXT record that was written",
       "A secondary does not follow, a name server is lame or silent, or the record was written to "
       "a zone that the world does not ask.",
       "for s in $(dig +short NS ZONE); do dig +norec TXT _acme-challenge.NAME @$s; done",
       "Repair that name server or take it out of the zone's NS records. Where it only takes long, "
       "give it a longer propagation_timeout."},
      {"DNS01_CLEANUP_FAILED", "a TXT record cannot be taken away again",
       "The provider lets records be added but not removed.", "dig TXT _acme-challenge.NAME",
       "Allow the removal, and remove this one by hand."},
      {"PERSIST_RECORD_MISSING", "a permanent record does not let a CA issue",
       "It is not there, names another account, has no policy=wildcard, or is over.",
       "dig TXT _validation-persist.NAME; nolapse account show",
       "Set the record that the finding shows. A new account wants a new record."},
      {"PERSIST_RECORD_EXPIRES", "a permanent record ends before one of the next two renewals",
       "It has a persistUntil.", "dig TXT _validation-persist.NAME",
       "Give it a later persistUntil, or none."},
  };
}

}  // namespace

CheckFamily proof_checks() {
  return {pages(),
          {{{"HTTP01_UNREACHABLE", "HTTP01_WRONG_ANSWER", "PORT_IN_USE", "WEBROOT_NOT_WRITABLE",
             "TLSALPN01_UNREACHABLE", "DNS01_WRITE_FAILED", "DNS01_NOT_SEEN",
             "DNS01_CLEANUP_FAILED", "PERSIST_RECORD_MISSING", "PERSIST_RECORD_EXPIRES"},
            CheckDepth::deep,
            CheckScope::proof,
            check_proof,
            proof_deadline}}};
}

}  // namespace nolapse
