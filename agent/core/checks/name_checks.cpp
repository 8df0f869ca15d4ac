// Does the DNS say of each name what a renewal needs: an address where one is proved or served by
// it, signatures that hold, and CAA records that let each CA issue?
#include <set>

#include "agent/core/caa_check.h"
#include "agent/core/checks/choices.h"
#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"

namespace nolapse {
namespace {

using Context = std::shared_ptr<const CheckContext>;

constexpr Duration second_try = std::chrono::seconds(3);

// Findings that come one by one; reported when the last is there.
struct Gathering {
  std::size_t open = 1;
  std::vector<Finding> findings;
  CheckReport report;

  void close_one() {
    if (--open == 0) report(std::move(findings));
  }
};
using Gathered = std::shared_ptr<Gathering>;

// ---- addresses

struct NeededName {
  FindingSeverity severity = FindingSeverity::warning;
  std::string why;
};

void need(std::map<std::string, NeededName>& names, const std::string& name,
          FindingSeverity severity, const std::string& why) {
  NeededName& needed = names[name];
  if (needed.why.empty() || severity > needed.severity) needed = {severity, why};
}

// A name that is proved in the DNS alone needs no address.
std::map<std::string, NeededName> names_in_need(const CheckContext& context,
                                                const CertificateSpec& spec) {
  std::map<std::string, NeededName> names;
  for (const std::string& name : spec.challenges) {
    const auto challenge = context.config.challenges.find(name);
    if (challenge == context.config.challenges.end()) continue;
    const std::string& type = challenge->second.type;
    if (type != "http-01" && type != "tls-alpn-01") continue;
    for (const acme::Identifier& domain : spec.domains) {
      if (domain.type != "dns" || is_wildcard(domain)) continue;
      need(names, domain.value, severity_of_choice(spec.challenges, name), type + " proves it");
    }
  }
  for (const Endpoint& endpoint : spec.endpoints.value_or(std::vector<Endpoint>{})) {
    need(names, endpoint.host, FindingSeverity::error, "endpoint " + endpoint.text);
  }
  return names;
}

Finding no_address(const CertificateSpec& spec, const std::string& name, const NeededName& needed,
                   const Error& error) {
  const bool missing = error.code == "NAME_NOT_FOUND";
  return {missing ? "NAME_NOT_FOUND" : "NAME_LOOKUP_FAILED",
          {},
          name,
          needed.severity,
          spec.name + ": " + name + (missing ? " has no address" : " cannot be looked up") + " (" +
              needed.why + ")",
          error.message,
          missing ? "add its A or AAAA record, or take it out of the configuration"
                  : "make the name server answer, or set `resolver` to one that does",
          {}};
}

void look_up(const Context& context, const CertificateSpec& spec, const std::string& name,
             const NeededName& needed, int tries, const Gathered& gathered) {
  context->world.dns.resolve(name, [=, &spec](const Result<std::vector<std::string>>& addresses) {
    if (addresses) return gathered->close_one();
    // One lost packet is no finding.
    if (addresses.error().kind == ErrorKind::transient && tries == 1) {
      context->world.clock.start_timer(
          second_try, [=, &spec] { look_up(context, spec, name, needed, tries + 1, gathered); });
      return;
    }
    gathered->findings.push_back(no_address(spec, name, needed, addresses.error()));
    gathered->close_one();
  });
}

void check_addresses(const Context& context, const CheckSubject& subject,
                     const CheckReport& report) {
  const auto gathered = std::make_shared<Gathering>(Gathering{1, {}, report});
  const CertificateSpec& spec = *subject.certificate;
  for (const auto& [name, needed] : names_in_need(*context, spec)) {
    ++gathered->open;
    look_up(context, spec, name, needed, 1, gathered);
  }
  gathered->close_one();
}

// ---- signatures

// A resolver that validates answers SERVFAIL where signatures do not hold, and gives the records
// when it is told not to look at them. Asked once more the first way: it was no accident.
void check_signatures_of(const Context& context, const CertificateSpec& spec,
                         const std::string& name, DnsType type, const Gathered& gathered) {
  Dns& dns = context->world.dns;
  const DnsLookup validated{name, type};
  DnsLookup unchecked = validated;
  unchecked.checking_disabled = true;
  dns.ask(validated, [=, &spec, &dns](const Result<DnsAnswer>& first) {
    if (first) return gathered->close_one();
    dns.ask(unchecked, [=, &spec, &dns](const Result<DnsAnswer>& there) {
      if (!there) {  // for another reason
        Finding finding =
            not_known("DNSSEC_BOGUS",
                      spec.name + ": nobody knows whether the signatures of " + name + " hold",
                      there.error());
        finding.subject = name;
        finding.fix = "make the name server answer, or set `resolver` to one that does";
        gathered->findings.push_back(std::move(finding));
        return gathered->close_one();
      }
      dns.ask(validated, [=, &spec](const Result<DnsAnswer>& again) {
        if (!again) {
          gathered->findings.push_back(
              {"DNSSEC_BOGUS",
               {},
               name,
               FindingSeverity::error,
               spec.name + ": the DNSSEC signatures of " + name + " do not hold, so that no CA " +
                   "sees its records",
               again.error().message + "; without DNSSEC (dig +cd) there is an answer",
               "sign the zone again, or correct the DS record at its parent",
               {}});
        }
        gathered->close_one();
      });
    });
  });
}

void check_signatures(const Context& context, const CheckSubject& subject,
                      const CheckReport& report) {
  const auto gathered = std::make_shared<Gathering>(Gathering{1, {}, report});
  std::set<std::string> names;
  for (const acme::Identifier& domain : subject.certificate->domains) {
    if (domain.type == "dns") names.insert(without_wildcard(domain).value);
  }
  for (const std::string& name : names) {
    ++gathered->open;
    check_signatures_of(context, *subject.certificate, name, DnsType::a, gathered);
  }
  gathered->close_one();
}

// ---- CAA

// What was refused for one certificate, by any of its challenges.
struct CaaRefusals {
  FindingSeverity severity = FindingSeverity::warning;
  std::vector<std::string> names;
  std::string texts;

  void add(const CaaRefusal& refusal, FindingSeverity of_choice) {
    severity = std::max(severity, of_choice);
    if (std::find(names.begin(), names.end(), refusal.identifier.value) == names.end()) {
      names.push_back(refusal.identifier.value);
    }
    if (texts.find(refusal.text) != std::string::npos) return;
    texts += (texts.empty() ? "" : "; ") + refusal.text;
  }
};

struct CaaOfCertificate {
  const CertificateSpec& spec;
  const CaConfig& ca;
  std::size_t open = 0;
  CaaRefusals forbidden = {};
  CaaRefusals not_looked_up = {};
};

void add_findings(const CaaOfCertificate& caa, std::vector<Finding>& findings) {
  const std::string role = caa.spec.cas.front() == caa.ca.name ? "" : " (a fallback)";
  const auto add = [&](const char* code, const CaaRefusals& refusals, const std::string& summary,
                       const char* fix) {
    if (refusals.names.empty()) return;
    findings.push_back({code,
                        caa.spec.name,
                        {},
                        refusals.severity,
                        caa.spec.name + ": " + summary + listed(refusals.names),
                        refusals.texts,
                        fix,
                        {}});
  };
  add("CAA_FORBIDS_CA", caa.forbidden, "the DNS forbids " + caa.ca.name + role + " to issue for ",
      "change the record that the evidence names, or use a CA that it allows");
  add("CAA_LOOKUP_FAILED", caa.not_looked_up,
      caa.ca.name + role + " would refuse, as no CAA records can be looked up for ",
      "make the zone's name servers answer questions for CAA, with no such record if there is "
      "none");
}

// By each challenge that may prove it: `validationmethods` may allow one and not another.
void check_caa_of(const Context& context, const CertificateSpec& spec, const CaConfig& ca,
                  const acme::CaaRequest& request, const Gathered& gathered) {
  const auto caa = std::make_shared<CaaOfCertificate>(CaaOfCertificate{spec, ca});
  const FindingSeverity of_ca = severity_of_choice(spec.cas, ca.name);
  for (const std::string& name : spec.challenges) {
    const auto challenge = context->config.challenges.find(name);
    if (challenge == context->config.challenges.end()) continue;
    const FindingSeverity severity = std::min(of_ca, severity_of_choice(spec.challenges, name));
    acme::CaaRequest by_it = request;
    by_it.challenge_type = challenge->second.type;
    ++caa->open;
    ++gathered->open;
    check_caa(context->world, spec.domains, std::move(by_it),
              [caa, severity, gathered](const std::vector<CaaRefusal>& refusals) {
                for (const CaaRefusal& refusal : refusals) {
                  (refusal.looked_up ? caa->forbidden : caa->not_looked_up).add(refusal, severity);
                }
                if (--caa->open == 0) add_findings(*caa, gathered->findings);
                gathered->close_one();
              });
  }
}

void check_caa_records(const Context& context, const CheckSubject& subject,
                       const CheckReport& report) {
  const CaConfig& ca = *subject.ca;
  CaClient& client = context->ca(ca.name);
  client.prepare_existing([context, report, &ca, &client](const Result<void>& ready) {
    if (!ready) {
      return report({{"CAA_FORBIDS_CA",
                      {},
                      {},
                      FindingSeverity::unknown,
                      "nobody knows whether the DNS allows " + ca.name + " to issue",
                      ready.error().message,
                      "see what else is found about " + ca.name,
                      {}}});
    }
    const acme::Session& session = client.session();
    const acme::CaaRequest request{session.directory()->caa_identities, session.account_url(), {}};
    const auto gathered = std::make_shared<Gathering>(Gathering{1, {}, report});
    for (const CertificateSpec* spec : users_of(*context, ca)) {
      check_caa_of(context, *spec, ca, request, gathered);
    }
    gathered->close_one();
  });
}

std::vector<CodePage> pages() {
  return {
      {"NAME_NOT_FOUND", "a name has no address",
       "Its A and AAAA records are gone or were never there, the domain has expired, or it is "
       "spelled wrongly.",
       "dig A NAME; dig AAAA NAME; whois DOMAIN",
       "Add the record, or take the name out of the certificate; names with a DNS challenge alone "
       "need no address."},
      {"NAME_LOOKUP_FAILED", "a name cannot be looked up",
       "The resolver or the zone's name servers do not answer.",
       "dig A NAME; dig +trace A NAME; cat /etc/resolv.conf",
       "Make them answer, or set `resolver` to a name server that does."},
      {"DNSSEC_BOGUS", "DNSSEC signatures do not hold",
       "Signatures have expired, or the DS record at the parent belongs to an older key. It is "
       "seen only through a resolver that validates.",
       "dig A NAME; dig +cd A NAME; delv A NAME",
       "Sign the zone again or correct the DS record. Every CA validates, and refuses meanwhile."},
      {"CAA_FORBIDS_CA", "CAA records do not let a CA issue",
       "They name another CA, another account (accounturi), other challenges (validationmethods), "
       "or a critical record is unknown to all CAs.",
       "dig CAA NAME, then the same for each name above it; nolapse account show",
       "Change the record, or use a CA, account and challenge that it allows."},
      {"CAA_LOOKUP_FAILED", "CAA records cannot be looked up, which CAs take for a no",
       "A name server, often an old one or a load balancer's, fails for questions of this type.",
       "dig CAA NAME @NAMESERVER",
       "Make the name servers answer: NOERROR without an answer is enough."},
  };
}

}  // namespace

CheckFamily name_checks() {
  return {pages(),
          {{{"NAME_NOT_FOUND", "NAME_LOOKUP_FAILED"},
            CheckDepth::cheap,
            CheckScope::certificate,
            check_addresses},
           {{"DNSSEC_BOGUS"}, CheckDepth::deep, CheckScope::certificate, check_signatures},
           {{"CAA_FORBIDS_CA", "CAA_LOOKUP_FAILED"},
            CheckDepth::deep,
            CheckScope::ca,
            check_caa_records}}};
}

}  // namespace nolapse
