// Can each CA be asked, and would it take an order? The CA is asked for its directory and which
// account the key has; nothing of this makes a key or an account. [RFC 8555 §7.1.1, §7.3.1]
#include "acme/json_read.h"
#include "agent/core/checks/choices.h"
#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"
#include "agent/core/schedule.h"

namespace nolapse {
namespace {

constexpr Duration clock_warning = std::chrono::seconds(60);
constexpr Duration clock_error = std::chrono::minutes(5);

// The newest certificates, of standbys too, that this CA has issued to the account it has now.
bool has_issued(const CheckContext& context, const CaConfig& ca) {
  const auto by_it = [&](const CertificateStatus& status) {
    return status.generation && status.generation->ca == ca.name &&
           status.generation->ca_directory == ca.directory;
  };
  return std::any_of(context.statuses.begin(), context.statuses.end(), [&](const auto& named) {
    const CertificateStatus& status = named.second;
    return by_it(status) || (status.standby && by_it(*status.standby));
  });
}

// All that can be said after one visit at a CA.
class CaVisit {
 public:
  CaVisit(std::shared_ptr<const CheckContext> context, const CaConfig& ca)
      : context_(std::move(context)),
        ca_(ca),
        client_(context_->ca(ca.name)),
        users_(users_of(*context_, ca)) {
    if (const auto account = context_->store.load_account(ca.name); account && *account) {
      saved_ = **account;
    }
    const bool preferred = std::any_of(users_.begin(), users_.end(), [&](const auto* spec) {
      return spec->cas.front() == ca.name;
    });
    severity_ = preferred ? FindingSeverity::error : FindingSeverity::warning;
  }

  CaClient& client() { return client_; }

  std::vector<Finding> judge(const AccountOutcome& outcome) {
    if (judge_contact(outcome)) {
      judge_clock();
      judge_terms(outcome);
      judge_account(outcome);
      judge_profiles();
    }
    judge_external_account(outcome);
    return std::move(findings_);
  }

 private:
  void add(const char* code, FindingSeverity severity, const std::string& summary,
           std::string evidence, std::string fix) {
    findings_.push_back({code,
                         {},
                         {},
                         severity,
                         called() + ": " + summary,
                         std::move(evidence),
                         std::move(fix),
                         {}});
  }

  std::string called() const {
    return ca_.name + (severity_ == FindingSeverity::warning ? " (a fallback)" : "");
  }

  // Who else is there to ask.
  std::string others() const {
    std::vector<std::string> alone;
    for (const auto* spec : users_) {
      if (spec->cas.size() == 1) alone.push_back(spec->name);
    }
    if (!alone.empty()) return listed(alone) + " can be issued by no other CA";
    std::vector<std::string> left;
    for (const auto* spec : users_) {
      for (const std::string& name : spec->cas) {
        const bool known = std::find(left.begin(), left.end(), name) != left.end();
        if (name != ca_.name && !known) left.push_back(name);
      }
    }
    return listed(left) + " is left to ask";
  }

  static bool is_about_account(const AccountOutcome& outcome) {
    return outcome.status == "refused" || outcome.status == "forgotten" ||
           outcome.error->code == "ACCOUNT_NOT_VALID" ||
           outcome.error->code == "ACCOUNT_DEACTIVATED";
  }

  // Has it been reached?
  bool judge_contact(const AccountOutcome& outcome) {
    if (!outcome.error || is_about_account(outcome)) return true;
    const Error& error = *outcome.error;
    if (error.kind == ErrorKind::local || error.code == "BAD_PRIVATE_KEY" ||
        error.kind == ErrorKind::deferred) {
      add("CA_UNREACHABLE", FindingSeverity::unknown, "it was not asked", error.message,
          "remove what the evidence names, or wait; then nolapse check --deep");
    } else if (error.code == "CA_TLS") {
      add("CA_TLS", severity_, "its certificate is not trusted; " + others(), error.message,
          "see whether this machine's clock is right, ca-certificates is up to date and `roots` "
          "names the CA's root; a proxy that opens TLS has to be trusted, too");
    } else {
      add("CA_UNREACHABLE", severity_, "it does not answer as a CA does; " + others(),
          error.message,
          "curl -v " + ca_.directory + (ca_.proxy.empty() ? "" : " --proxy " + ca_.proxy));
    }
    return false;
  }

  void judge_clock() {
    const auto time = client_.time();
    if (!time) {
      return add("CLOCK_WRONG", FindingSeverity::unknown,
                 "nobody knows whether this machine's clock is right",
                 "its answers have no Date, or none that can be read",
                 "timedatectl; a CA, or a proxy before it, has to say the time");
    }
    const Duration ahead = context_->world.clock.now() - *time;
    if (std::chrono::abs(ahead) <= clock_warning) return;
    add("CLOCK_WRONG",
        std::chrono::abs(ahead) > clock_error ? FindingSeverity::error : FindingSeverity::warning,
        "by its clock this machine's is " + acme::format_duration(std::chrono::abs(ahead)) +
            (ahead > Duration{0} ? " ahead" : " behind"),
        "the CA says " + acme::format_rfc3339(*time),
        "timedatectl set-ntp true, or see why time synchronisation does not work");
  }

  void judge_terms(const AccountOutcome& outcome) {
    const bool remembered = saved_ && saved_->is_at(ca_.directory) && !saved_->agreed_terms.empty();
    if (!remembered || outcome.terms_of_service.empty() ||
        outcome.terms_of_service == saved_->agreed_terms) {
      return;
    }
    add("TERMS_CHANGED", FindingSeverity::warning, "it has other terms of service than agreed to",
        "agreed: " + acme::printable(saved_->agreed_terms, 300) +
            ", now: " + acme::printable(outcome.terms_of_service, 300),
        "read them; if you agree: nolapse account update --ca " + ca_.name);
  }

  void judge_account(const AccountOutcome& outcome) {
    const bool known = saved_ && saved_->is_at(ca_.directory);
    const std::string because = outcome.error ? outcome.error->message : outcome.url;
    if (outcome.status == "forgotten") {
      if (!known && !has_issued(*context_, ca_)) return;
      add("ACCOUNT_INVALID", severity_, "it does not know the account any more", because,
          "nolapse renew registers the key again; CAA and dns-persist records that name the old "
          "account must be changed then. If the key is the wrong one, put the right one back");
    } else if (outcome.error) {
      add("ACCOUNT_INVALID", severity_, "the account is " + outcome.status, because,
          "ask the CA why; a new account is made by the next renewal when the folder accounts/" +
              ca_.name + " of the state directory is removed");
    } else if (known && outcome.status == "valid" && outcome.url != saved_->url) {
      add("ACCOUNT_INVALID", severity_, "the key is another account's",
          "account.json: " + saved_->url + ", the CA: " + outcome.url,
          "put the key of that account back as accounts/" + ca_.name +
              "/key.pem; or remove account.json beside it, and change the CAA and dns-persist "
              "records that name the account");
    }
  }

  // Where there is an account already it is needed only for the next one.
  void judge_external_account(const AccountOutcome& outcome) {
    if (const auto usable = client_.check_external_account(); !usable) {
      add("EAB_MISSING", severity_, "the key of the external account cannot be used",
          usable.error().message, "write the HMAC key as the CA shows it into that file");
    } else if (outcome.external_account_required.value_or(false) &&
               !outcome.external_account_configured && outcome.status != "valid") {
      add("EAB_MISSING", severity_, "it wants an external account, and none is configured",
          "externalAccountRequired stands in its directory",
          "get a key id and an HMAC key from the CA; set eab_key_id and eab_hmac_key_file");
    }
  }

  void judge_profiles() {
    const auto& directory = client_.session().directory();
    if (!directory) return;
    std::vector<std::string> offered;
    for (const auto& profile : directory->profiles) {
      offered.push_back(acme::printable(profile.first, 60));
    }
    for (const CertificateSpec* spec : users_) {
      const std::string& profile = spec->profile.empty() ? ca_.profile : spec->profile;
      if (profile.empty() || directory->profiles.contains(profile)) continue;
      const FindingSeverity severity = severity_of_choice(spec->cas, ca_.name);
      add("PROFILE_NOT_OFFERED", severity, "it offers no profile \"" + profile + "\"",
          "offered: " + (offered.empty() ? "none" : listed(offered)),
          "correct or remove `profile`");
      findings_.back().certificate = spec->name;
    }
  }

  const std::shared_ptr<const CheckContext> context_;
  const CaConfig& ca_;
  CaClient& client_;
  const std::vector<const CertificateSpec*> users_;
  std::optional<SavedAccount> saved_;
  FindingSeverity severity_;
  std::vector<Finding> findings_;
};

void check_ca(const std::shared_ptr<const CheckContext>& context, const CheckSubject& subject,
              const CheckReport& report) {
  const auto visit = std::make_shared<CaVisit>(context, *subject.ca);
  visit->client().work_on_account(
      AccountAction::show,
      [visit, report](const AccountOutcome& outcome) { report(visit->judge(outcome)); });
}

std::vector<Finding> check_account_key(const CheckContext& context, const CheckSubject& subject) {
  const CaConfig& ca = *subject.ca;
  const auto account = context.store.load_account(ca.name);
  const std::string path = "accounts/" + ca.name + "/key.pem";
  if (!account) {
    const bool broken = account.error().code == "BAD_PRIVATE_KEY";
    return {{"ACCOUNT_KEY_MISSING",
             {},
             {},
             broken ? FindingSeverity::error : FindingSeverity::unknown,
             ca.name + ": the key of the account cannot be " + (broken ? "used" : "read"),
             account.error().message,
             broken ? "put the key back from a backup, or remove the file to register a new account"
                    : look_as_owner,
             {}}};
  }
  if (*account || !has_issued(context, ca)) return {};
  return {{"ACCOUNT_KEY_MISSING",
           {},
           {},
           FindingSeverity::error,
           ca.name + ": the key of the account is gone",
           "there are certificates of this CA, but no " + path,
           "put " + path + " back from a backup; without it the next renewal registers a new " +
               "account, and CAA and dns-persist records that name the old one must be changed",
           {}}};
}

std::optional<Finding> judge_budget(const CheckContext& context, const CaConfig& ca,
                                    const CertificateSpec& spec, const RateLedger& ledger) {
  const Time now = context.world.clock.now();
  const OrderKind kind =
      kind_of_order(context.status_of(spec).generation, ca.directory, spec.domains, now);
  const RateVerdict verdict = ledger.may_order(spec.domains, kind, Who::daemon, now);
  if (verdict.allowed && !verdict.spends_last) return {};
  return Finding{
      "RATE_BUDGET_LOW",
      spec.name,
      "CA " + ca.name,
      FindingSeverity::warning,
      spec.name + ": little is left of what " + ca.name + " allows",
      verdict.text,
      "let no more orders fail or be placed for nothing; by our count there is one again at " +
          acme::format_rfc3339(verdict.until),
      {}};
}

// Of all its certificates at once: the ledger of a thousand is not read a thousand times.
std::vector<Finding> check_budget(const CheckContext& context, const CheckSubject& subject) {
  const CaConfig& ca = *subject.ca;
  const auto state = context.store.load_ledger(ca.name);
  std::vector<Finding> findings;
  if (!state) {
    for (const CertificateSpec* spec : users_of(context, ca)) {
      findings.push_back(
          not_known("RATE_BUDGET_LOW",
                    spec->name + ": nobody knows what is left of what " + ca.name + " allows",
                    state.error()));
      findings.back().certificate = spec->name;
    }
    return findings;
  }
  if (!*state) return {};
  RateLedger ledger(ca.rate_limits, **state);
  ledger.prune(context.world.clock.now());
  for (const CertificateSpec* spec : users_of(context, ca)) {
    if (auto found = judge_budget(context, ca, *spec, ledger)) findings.push_back(*found);
  }
  return findings;
}

std::vector<CodePage> pages() {
  return {
      {"CA_UNREACHABLE", "a CA does not answer",
       "It is down or in maintenance, a firewall or proxy is between, the directory's URL is "
       "wrong, "
       "or this host's resolver does not work.",
       "curl -v DIRECTORY; the CA's status page",
       "Open the way, or correct `directory` or `proxy`. Where another CA is configured, it is "
       "asked when little lifetime is left."},
      {"CA_TLS", "a CA's own certificate is not trusted",
       "The clock is wrong, ca-certificates is old, `roots` names another root, or somebody opens "
       "TLS on the way.",
       "openssl s_client -connect HOST:443 -servername HOST </dev/null; date",
       "Set the clock, update ca-certificates, or let `roots` name the right root."},
      {"CLOCK_WRONG", "this machine's clock is not the CA's",
       "Time synchronisation does not run, or a virtual machine was suspended.",
       "date -u; curl -sI DIRECTORY | grep -i ^date; timedatectl",
       "timedatectl set-ntp true. With a wrong clock certificates are renewed too late or for "
       "nothing."},
      {"TERMS_CHANGED", "a CA has other terms of service than those agreed to",
       "The CA published new ones. It may refuse orders until they are agreed to.",
       "nolapse account show --ca NAME",
       "Read them. If you agree: nolapse account update --ca NAME, which notes it; do what the CA "
       "wrote to the contact, if it wants more."},
      {"ACCOUNT_INVALID", "a CA does not accept the account",
       "It was deactivated or revoked, the CA has forgotten it, or another key was put in its "
       "place.",
       "nolapse account show --ca NAME",
       "What the evidence says: put the right key back, or let a new account be made. CAA and "
       "dns-persist records name the account."},
      {"EAB_MISSING", "a CA wants an external account, and none can be used",
       "eab_key_id and eab_hmac_key_file are not set, or the file is missing or not base64.",
       "curl -s DIRECTORY | jq .meta.externalAccountRequired; ls -l EAB_HMAC_KEY_FILE",
       "Get a key id and an HMAC key from the CA and set both."},
      {"PROFILE_NOT_OFFERED", "a CA has no such certificate profile (any more)",
       "CAs rename and drop profiles.", "curl -s DIRECTORY | jq .meta.profiles",
       "Correct or remove `profile`. Shortly before expiry the CA's default is taken."},
      {"ACCOUNT_KEY_MISSING", "the key of an account is gone or damaged",
       "A restore or a clean-up was incomplete.",
       "openssl pkey -noout -in STATE_DIR/accounts/CA/"
       "key.pem",
       "Put it back from a backup; else a new account is registered by the next renewal."},
      {"RATE_BUDGET_LOW", "a CA would refuse an order soon, by our count",
       "Many orders or failed validations for the same names, or the CA asked to wait.",
       "cat STATE_DIR/ledger/CA.json",
       "Wait, and do not use --force meanwhile. If your CA allows more, set `rate_limits`."},
  };
}

}  // namespace

CheckFamily ca_checks() {
  return {
      pages(),
      {{{"CA_UNREACHABLE", "CA_TLS", "CLOCK_WRONG", "TERMS_CHANGED", "ACCOUNT_INVALID",
         "EAB_MISSING", "PROFILE_NOT_OFFERED"},
        CheckDepth::deep,
        CheckScope::ca,
        check_ca},
       plain_check({"ACCOUNT_KEY_MISSING"}, CheckDepth::cheap, CheckScope::ca, check_account_key),
       plain_check({"RATE_BUDGET_LOW"}, CheckDepth::cheap, CheckScope::ca, check_budget)}};
}

}  // namespace nolapse
