// What the newest generation is made of: names, keys, and the chain above the leaf.
#include <algorithm>

#include "agent/core/checks/families.h"

namespace nolapse {
namespace {

Finding finding(const char* code, FindingSeverity severity, std::string summary,
                std::string evidence, std::string fix) {
  return {code, {}, {}, severity, std::move(summary), std::move(evidence), std::move(fix), {}};
}

const Generation* newest(const CheckContext& context, const CheckSubject& subject) {
  const auto& generation = context.status_of(*subject.certificate).generation;
  return generation ? &*generation : nullptr;
}

// With the DER, and what stands above the leaf; empty where it cannot be read.
std::vector<acme::Certificate> chain_of(const CheckContext& context, const Generation& generation) {
  const auto pem = context.world.files.read(generation.directory + "/fullchain.pem");
  if (!pem) return {};
  return acme::parse_pem_chain(*pem).value_or(std::vector<acme::Certificate>{});
}

std::vector<Finding> check_names(const CheckContext& context, const CheckSubject& subject) {
  const Generation* const generation = newest(context, subject);
  if (generation == nullptr) return {};
  std::string missing;
  for (const acme::Identifier& wanted : subject.certificate->domains) {
    if (!acme::names(generation->leaf(), wanted)) missing += " " + wanted.value;
  }
  if (missing.empty()) return {};
  const std::string& name = subject.certificate->name;
  return {finding("NAMES_DIFFER", FindingSeverity::error,
                  name + ": the certificate lacks configured names",
                  "missing:" + missing +
                      "; a name whose proof fails is left out at last so that "
                      "the others keep their certificate",
                  "nolapse renew --force " + name + ", and see why these names are refused")};
}

// An intermediate that expires before its leaf ends it.
std::vector<Finding> check_chain(const CheckContext& context, const CheckSubject& subject) {
  const Generation* const generation = newest(context, subject);
  if (generation == nullptr) return {};
  const Time now = context.world.clock.now();
  const std::string& name = subject.certificate->name;
  for (const acme::Certificate& issuer : chain_of(context, *generation)) {
    if (issuer.not_after >= generation->leaf().not_after) continue;
    const bool soon = issuer.not_after - now < std::chrono::hours(24 * 14);
    return {finding("INTERMEDIATE_EXPIRES",
                    soon ? FindingSeverity::error : FindingSeverity::warning,
                    name + ": a certificate of its chain expires before it does, on " +
                        acme::format_rfc3339(issuer.not_after),
                    "\"" + issuer.subject_common_name + "\"",
                    "nolapse renew --force " + name + ", or choose another preferred_chain")};
  }
  return {};
}

std::vector<Finding> check_strength(const CheckContext& context, const CheckSubject& subject) {
  const Generation* const generation = newest(context, subject);
  if (generation == nullptr) return {};
  const auto chain = chain_of(context, *generation);
  const std::string weakness = chain.empty() ? "" : acme::weakness_of(chain.front());
  if (weakness.empty()) return {};
  const std::string& name = subject.certificate->name;
  const bool own = !subject.certificate->csr_file.empty();
  return {finding("WEAK_KEY", FindingSeverity::warning, name + ": its key is weak", weakness,
                  own ? "make a new key and signing request for csr_file"
                      : "set `key`, then nolapse renew --force " + name)};
}

bool key_may_stay(const CertificateSpec& spec) {
  return spec.reuse_key || !spec.csr_file.empty() || !spec.key_file.empty();
}

std::vector<Finding> check_key_reuse(const CheckContext& context, const CheckSubject& subject) {
  const Generation* const generation = newest(context, subject);
  const CertificateSpec& spec = *subject.certificate;
  if (generation == nullptr || key_may_stay(spec)) return {};
  const std::string& key = generation->leaf().public_key_der;
  std::string others;
  const auto numbers = context.store.generation_numbers(spec.name);
  for (const unsigned number : numbers.value_or(std::vector<unsigned>{})) {
    if (number >= generation->number) continue;
    const auto older = context.store.load_generation(spec.name, number);
    if (older && older->leaf().public_key_der == key) {
      others += " generation " + std::to_string(number);
    }
  }
  for (const auto& [name, status] : context.statuses) {
    if (name != spec.name && status.generation && status.generation->leaf().public_key_der == key) {
      others += " certificate " + name;
    }
  }
  if (others.empty()) return {};
  return {finding("KEY_REUSED", FindingSeverity::warning,
                  spec.name + ": its key is used elsewhere too, without reuse_key",
                  "the same as of" + others, "nolapse renew --force " + spec.name)};
}

// The root above: clients that pin or lack it fail from one renewal to the next.
std::string root_of(const CheckContext& context, const Generation& generation) {
  const auto chain = chain_of(context, generation);
  return chain.empty() ? "" : chain.back().issuer_common_name;
}

std::vector<Finding> check_issuer(const CheckContext& context, const CheckSubject& subject) {
  constexpr Duration told_for = std::chrono::hours(24 * 14);
  const Generation* const generation = newest(context, subject);
  const std::string& name = subject.certificate->name;
  const auto numbers = context.store.generation_numbers(name);
  if (generation == nullptr || !numbers || numbers->size() < 2 ||
      context.world.clock.now() - generation->issued_at > told_for) {
    return {};
  }
  const auto former = context.store.load_generation(name, (*numbers)[numbers->size() - 2]);
  // Another CA was chosen, by the operator or as the fallback: that is told otherwise.
  if (!former || former->ca_directory != generation->ca_directory) return {};
  const std::string before = root_of(context, *former);
  const std::string now = root_of(context, *generation);
  if (before.empty() || now.empty() || before == now) return {};
  return {finding("ISSUER_CHANGED", FindingSeverity::warning,
                  name + ": its chain leads to another root than before",
                  "\"" + before + "\" before, \"" + now + "\" now",
                  "see whether all clients know it; preferred_chain chooses another")};
}

}  // namespace

CheckFamily material_checks() {
  const auto for_each = [](const char* code, PlainCheck run) {
    return plain_check({code}, CheckDepth::cheap, CheckScope::certificate, std::move(run));
  };
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
      {for_each("NAMES_DIFFER", check_names), for_each("INTERMEDIATE_EXPIRES", check_chain),
       for_each("WEAK_KEY", check_strength), for_each("KEY_REUSED", check_key_reuse),
       for_each("ISSUER_CHANGED", check_issuer)}};
}

}  // namespace nolapse
