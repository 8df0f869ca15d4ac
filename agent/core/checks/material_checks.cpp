// What the newest generation is made of: names, keys, and the chain above the leaf.
#include "acme/base64url.h"
#include "agent/core/checks/families.h"
#include "agent/core/checks/not_known.h"

namespace nolapse {
namespace {

Finding finding(const char* code, FindingSeverity severity, std::string summary,
                std::string evidence, std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

using Found = Result<std::vector<Finding>>;
using MaterialCheck = Found (*)(const CheckContext&, const CertificateSpec&,
                                const Generation& newest);

// What the newest generation is made of; an error of the check is that nobody knows.
Check check_of(const char* code, const char* question, MaterialCheck run) {
  return plain_check(
      {code}, CheckDepth::cheap, CheckScope::certificate,
      [=](const CheckContext& context, const CheckSubject& subject) -> std::vector<Finding> {
        const CertificateSpec& spec = *subject.certificate;
        const auto newest = newest_of(context, spec);
        if (newest && *newest == nullptr) return {};
        auto found = newest ? run(context, spec, **newest) : fail(newest.error());
        if (found) return std::move(*found);
        return {not_known(code, spec.name + ": nobody knows " + question, found.error())};
      });
}

Found check_names(const CheckContext&, const CertificateSpec& spec, const Generation& newest) {
  std::string missing;
  for (const acme::Identifier& wanted : spec.domains) {
    if (!acme::names(newest.leaf(), wanted)) missing += " " + wanted.value;
  }
  std::vector<Finding> findings;
  if (missing.empty()) return findings;
  findings.push_back(
      finding("NAMES_DIFFER", FindingSeverity::error,
              spec.name + ": the certificate lacks configured names",
              "missing:" + missing +
                  "; a name whose proof fails is left out at last so that "
                  "the others keep their certificate",
              "nolapse renew --force " + spec.name + ", and see why these names are refused"));
  return findings;
}

// An intermediate that expires before its leaf ends it.
Found check_chain(const CheckContext& context, const CertificateSpec& spec,
                  const Generation& newest) {
  const Time now = context.world.clock.now();
  const auto chain = context.store.load_chain_facts(spec.name, newest.number);
  if (!chain) return fail(chain.error());
  std::vector<Finding> findings;
  if (chain->ends_early.empty()) return findings;
  const bool soon = chain->ends_early_at - now < std::chrono::hours(24 * 14);
  findings.push_back(
      finding("INTERMEDIATE_EXPIRES", soon ? FindingSeverity::error : FindingSeverity::warning,
              spec.name + ": a certificate of its chain expires before it does, on " +
                  acme::format_rfc3339(chain->ends_early_at),
              chain->ends_early,
              "nolapse renew --force " + spec.name + ", or choose another preferred_chain"));
  return findings;
}

Found check_strength(const CheckContext& context, const CertificateSpec& spec,
                     const Generation& newest) {
  const auto chain = context.store.load_chain_facts(spec.name, newest.number);
  if (!chain) return fail(chain.error());
  std::vector<Finding> findings;
  if (chain->weakness.empty()) return findings;
  findings.push_back(finding(
      "WEAK_KEY", FindingSeverity::warning, spec.name + ": its key is weak", chain->weakness,
      spec.csr_file.empty() ? "set `key`, then nolapse renew --force " + spec.name
                            : "make a new key and signing request for csr_file"));
  return findings;
}

bool key_may_stay(const CertificateSpec& spec) {
  return spec.reuse_key || !spec.csr_file.empty() || !spec.key_file.empty();
}

Found check_key_reuse(const CheckContext& context, const CertificateSpec& spec,
                      const Generation& newest) {
  std::vector<Finding> findings;
  if (key_may_stay(spec)) return findings;
  const std::string& key = newest.leaf().public_key_der;
  const std::string key_sha256 = acme::sha256(key);
  std::string others;
  const auto numbers = context.store.generation_numbers(spec.name);
  if (!numbers) return fail(numbers.error());
  for (const unsigned number : *numbers) {
    if (number >= newest.number) continue;
    const auto older = context.store.load_chain_facts(spec.name, number);
    if (!older && is_denied(older.error())) return fail(older.error());
    if (older && older->key_sha256 == key_sha256) {
      others += " generation " + std::to_string(number);
    }
  }
  const auto [first, last] = context.names_by_key.equal_range(key);
  for (auto each = first; each != last; ++each) {
    if (each->second != spec.name) others += " certificate " + std::string(each->second);
  }
  if (others.empty()) return findings;
  findings.push_back(finding("KEY_REUSED", FindingSeverity::warning,
                             spec.name + ": its key is used elsewhere too, without reuse_key",
                             "the same as of" + others, "nolapse renew --force " + spec.name));
  return findings;
}

// The root above: clients that pin or lack it fail from one renewal to the next.
Found check_issuer(const CheckContext& context, const CertificateSpec& spec,
                   const Generation& newest) {
  constexpr Duration told_for = std::chrono::hours(24 * 14);
  std::vector<Finding> findings;
  const auto numbers = context.store.generation_numbers(spec.name);
  if (!numbers) return fail(numbers.error());
  if (numbers->size() < 2 || context.world.clock.now() - newest.issued_at > told_for) {
    return findings;
  }
  const auto former = context.store.load_generation(spec.name, (*numbers)[numbers->size() - 2]);
  if (!former && is_denied(former.error())) return fail(former.error());
  // Another CA was chosen, by the operator or as the fallback: that is told otherwise.
  if (!former || former->ca_directory != newest.ca_directory) return findings;
  const auto before = context.store.load_chain_facts(spec.name, former->number);
  const auto now = context.store.load_chain_facts(spec.name, newest.number);
  if (!before || !now) return fail(before ? now.error() : before.error());
  if (before->root.empty() || now->root.empty() || before->root == now->root) return findings;
  findings.push_back(finding("ISSUER_CHANGED", FindingSeverity::warning,
                             spec.name + ": its chain leads to another root than before",
                             "\"" + before->root + "\" before, \"" + now->root + "\" now",
                             "see whether all clients know it; preferred_chain chooses another"));
  return findings;
}

}  // namespace

CheckFamily material_checks() {
  return {
      {{"NAMES_DIFFER", "the certificate lacks configured names",
        "A name was refused again and again and left out, or names were added and not yet renewed.",
        "openssl x509 -in STATE_DIR/live/NAME/cert.pem -noout -ext subjectAltName",
        "nolapse renew --force NAME"},
       {"INTERMEDIATE_EXPIRES", "a certificate above the leaf expires before it",
        "The CA's chain is about to change.",
        "openssl crl2pkcs7 -nocrl -certfile STATE_DIR/live/NAME/chain.pem | openssl pkcs7 "
        "-print_certs -noout",
        "nolapse renew --force NAME; where that brings the same chain, set preferred_chain."},
       {"WEAK_KEY", "the key or its signature is weaker than clients accept today",
        "An old csr_file or key_file.",
        "openssl x509 -in STATE_DIR/live/NAME/cert.pem -noout -text",
        "Make a stronger key, then nolapse renew --force NAME."},
       {"KEY_REUSED", "the same key serves more than one certificate",
        "Files were copied by hand, or state was restored twice.",
        "openssl x509 -in CERT -noout -pubkey | sha256sum, for both",
        "nolapse renew --force NAME; set reuse_key = true where it is meant."},
       {"ISSUER_CHANGED", "the last renewal came with another root",
        "The CA changed its chain, or preferred_chain is no longer offered.",
        "openssl x509 -in STATE_DIR/live/NAME/chain.pem -noout -issuer",
        "Check old clients and pins; set preferred_chain where another is offered."}},
      {check_of("NAMES_DIFFER", "which names its certificate has", check_names),
       check_of("INTERMEDIATE_EXPIRES", "when its chain expires", check_chain),
       check_of("WEAK_KEY", "how strong its key is", check_strength),
       check_of("KEY_REUSED", "whether its key is used elsewhere", check_key_reuse),
       check_of("ISSUER_CHANGED", "whether its chain leads to another root", check_issuer)}};
}

}  // namespace nolapse
