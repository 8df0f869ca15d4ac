#include "agent/core/hook_order.h"

#include <algorithm>

#include "acme/json_read.h"
#include "acme/signing_request.h"

namespace nolapse {
namespace {

constexpr std::size_t longest_quote = 80;
constexpr const char* no_such_verb = " knows no verb ";

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::input, "HOOK_ORDER_REFUSED", why);
}

std::string quoted(const std::string& word) {
  return "\"" + acme::printable(word, longest_quote) + "\"";
}

bool is_verb_of(const std::string& verb, HookKind kind) {
  if (kind != HookKind::nolapse) return verb == run_once;
  return verb == "check" || verb == "install" || verb == "reload" || verb == "rollback" ||
         verb == "rehearse";
}

// The leaf's public key is proved to belong to what it comes with.
Result<std::string> public_key_of(const CertificateSpec& spec, const GenerationTexts& texts,
                                  OrderedPair& pair) {
  if (!texts.key.empty()) {
    const auto key = acme::PrivateKey::from_pem(texts.key);
    if (!key) return refuse("privkey.pem: " + key.error().message);
    pair.files.push_back({"privkey.pem", key->to_pem(), true});
    return key->public_key_der();
  }
  pair.has_key = false;
  if (spec.csr_file.empty() || !spec.key_file.empty()) {
    return refuse("there is no privkey.pem, and the certificate has no csr_file");
  }
  auto request = acme::parse_signing_request(texts.request);
  if (!request) return refuse("request.pem: " + request.error().message);
  pair.files.push_back({"request.pem", acme::to_pem(*request)});
  return std::move(request->public_key_der);
}

// Empty: it names nothing that is not configured.
std::string stranger_among(const acme::Certificate& leaf, const CertificateSpec& spec) {
  for (const acme::Identifier& name : leaf.subject_alternative_names) {
    if (std::find(spec.domains.begin(), spec.domains.end(), name) == spec.domains.end()) {
      return name.value;
    }
  }
  return {};
}

}  // namespace

Result<OrderedHook> find_ordered_hook(const Config& config, const HookOrder& order) {
  const CertificateSpec* const spec = config.find_certificate(order.certificate);
  if (spec == nullptr) {
    return refuse("no certificate is named " + quoted(order.certificate) + " in " +
                  config.files.front());
  }
  const auto target = config.targets.find(order.target);
  const auto& deploy = spec->deploy;
  if (target == config.targets.end() ||
      std::find(deploy.begin(), deploy.end(), order.target) == deploy.end()) {
    return refuse("certificate " + spec->name + " does not go to a target named " +
                  quoted(order.target) + " in " + config.files.front());
  }
  if (target->second.user.empty()) {
    return refuse("target " + order.target +
                  " has no `user`, so its hook is the daemon's own to run; set user = \"root\" if "
                  "that is meant");
  }
  if (!is_verb_of(order.verb, target->second.kind)) {
    return refuse("the hook of target " + order.target + no_such_verb + quoted(order.verb));
  }
  return OrderedHook{target->second, *spec};
}

bool refuses_verb(const Error& error) {
  return error.code == "HOOK_ORDER_REFUSED" &&
         error.message.find(no_such_verb) != std::string::npos;
}

Result<void> check_asked_port(const Config& config, std::uint16_t port) {
  const std::string end = ":" + std::to_string(port);
  if (config.daemon.status_listen.ends_with(end)) return {};
  for (const auto& [name, challenge] : config.challenges) {
    if (challenge.listen.ends_with(end)) return {};
  }
  return refuse("nothing in " + config.files.front() + " listens on port " + std::to_string(port));
}

Result<OrderedPair> check_ordered_pair(const CertificateSpec& spec, const GenerationTexts& texts) {
  OrderedPair pair;
  auto chain = acme::parse_pem_chain(texts.fullchain);
  if (!chain) return refuse("fullchain.pem: " + chain.error().message);
  pair.chain = std::move(*chain);
  const acme::Certificate& leaf = pair.chain.front();
  const auto public_key = public_key_of(spec, texts, pair);
  if (!public_key) return fail(public_key.error());
  if (*public_key != leaf.public_key_der) {
    return refuse(std::string(pair.files.front().name) + " is not of the key of the certificate");
  }
  if (const auto signatures = acme::check_signatures(pair.chain); !signatures) {
    return refuse(signatures.error().message);
  }
  if (leaf.subject_alternative_names.empty()) return refuse("the certificate names nothing");
  if (const std::string stranger = stranger_among(leaf, spec); !stranger.empty()) {
    return refuse("the certificate names " + quoted(stranger) + ", and the domains of " +
                  spec.name + " do not");
  }
  std::string intermediates;
  for (std::size_t i = 1; i < pair.chain.size(); ++i) intermediates += acme::to_pem(pair.chain[i]);
  const std::string first = acme::to_pem(leaf);
  pair.files.push_back({"cert.pem", first});
  pair.files.push_back({"chain.pem", intermediates});
  pair.files.push_back({"fullchain.pem", first + intermediates});
  return pair;
}

Result<void> check_ordered_validity(const OrderedPair& pair, const std::string& verb, Time now) {
  const Time not_after = pair.chain.front().not_after;
  if (verb == "check" || now < not_after) return {};
  return refuse("the certificate expired at " + acme::format_rfc3339(not_after));
}

std::vector<std::string> roots_of_issuers(const Config& config) {
  std::vector<std::string> files;
  for (const CaConfig& ca : config.cas) {
    if (std::find(files.begin(), files.end(), ca.issuer_roots_file) == files.end()) {
      files.push_back(ca.issuer_roots_file);
    }
  }
  return files;
}

Generation ordered_generation(const OrderedPair& pair, unsigned number, std::string directory) {
  Generation generation;
  generation.number = number;
  generation.directory = std::move(directory);
  generation.chain = pair.chain;
  generation.has_key = pair.has_key;
  // meta.json has the moment itself, and is only the sender's word.
  generation.issued_at = pair.chain.front().not_before;
  return generation;
}

}  // namespace nolapse
