// [[certificate]]: what the operator wants of one certificate. Names are judged the way CAs judge
// them, because a refusal at order time costs rate limit and a night. [RFC 8555 §7.1.3, RFC 8738]
#include <algorithm>
#include <set>

#include "agent/core/config_endpoint.h"
#include "agent/core/config_not_yet.h"
#include "agent/core/config_parts.h"
#include "agent/core/own_request.h"
#include "agent/core/public_names.h"

namespace nolapse {
namespace {

constexpr std::size_t domain_limit = 100;  // no public CA takes more

struct PlacedDomain {
  const ConfigNode* node;
  acme::Identifier identifier;
};

// Nothing may be asked for twice: CAs refuse a name beside a wildcard that covers it.
void refuse_redundant_domains(ConfigSection& section, const std::vector<PlacedDomain>& domains) {
  for (const PlacedDomain& domain : domains) {
    const auto covering =
        std::find_if(domains.begin(), domains.end(), [&](const PlacedDomain& other) {
          return &other != &domain && other.identifier != domain.identifier &&
                 acme::name_covers(other.identifier.value, domain.identifier.value);
        });
    if (covering == domains.end()) continue;
    section.problem_at(*domain.node, "domains",
                       "\"" + domain.identifier.value + "\" is already covered by \"" +
                           covering->identifier.value + "\"",
                       "remove it; CAs refuse both together");
  }
}

std::vector<PlacedDomain> read_domains(ConfigSection& section, CertificateSpec& spec) {
  std::vector<PlacedDomain> placed;
  const auto items = section.texts("domains", false);
  if (!items) {
    if (section.table().find("domains") == nullptr) {
      section.problem("domains", "this certificate has no domains",
                      "add domains = [\"shop.example\"]");
    }
    return placed;
  }
  if (section.table().find("domains")->children.empty()) {
    section.problem("domains", "is empty", "name at least one domain");
  }
  for (const ConfigNode* item : *items) {
    const auto identifier = acme::parse_identifier(item->text);
    if (!identifier) {
      section.problem_at(*item, "domains", identifier.error(), "correct the name");
      continue;
    }
    const auto same = std::find_if(placed.begin(), placed.end(), [&](const PlacedDomain& other) {
      return other.identifier == *identifier;
    });
    if (same != placed.end()) {
      section.problem_at(*item, "domains",
                         "\"" + item->text + "\" is the same as \"" + same->node->text + "\"",
                         "remove one of them");
      continue;
    }
    placed.push_back({item, *identifier});
    spec.domains.push_back(*identifier);
  }
  if (items->size() > domain_limit) {
    section.problem("domains",
                    "has " + std::to_string(items->size()) +
                        " names, and CAs take at most 100 in one certificate",
                    "split them into several [[certificate]]");
  }
  refuse_redundant_domains(section, placed);
  return placed;
}

std::vector<std::string> read_references(ConfigSection& section, const std::string& key,
                                         const ConfigContext& context) {
  std::vector<std::string> names;
  const auto items = section.texts(key, true);
  if (!items) return names;
  for (const ConfigNode* item : *items) {
    if (check_reference(section, *item, key, key, context)) names.push_back(item->text);
  }
  return names;
}

// What a challenge of this type cannot prove is refused before a CA has to.
void refuse_unprovable(ConfigSection& section, const std::vector<PlacedDomain>& domains,
                       const ChallengeConfig& challenge) {
  const std::string by = challenge.type + " (challenge \"" + challenge.name + "\")";
  const bool in_dns = challenge.type.rfind("dns-", 0) == 0;
  for (const PlacedDomain& domain : domains) {
    const std::string name = "\"" + domain.identifier.value + "\"";
    if (!in_dns && domain.identifier.value.substr(0, 2) == "*.") {
      section.problem_at(*domain.node, "domains",
                         name + " is a wildcard, which " + by + " cannot prove",
                         "use a challenge of type \"dns-01\", or list the host names one by one");
    } else if (in_dns && domain.identifier.type == "ip") {
      section.problem_at(*domain.node, "domains",
                         name + " is an address, which " + by + " cannot prove",
                         "use a challenge of type \"http-01\" or \"tls-alpn-01\"");
    }
  }
}

void read_challenges(ConfigSection& section, const std::vector<PlacedDomain>& domains,
                     CertificateSpec& spec, const ConfigContext& context) {
  spec.challenges = read_references(section, "challenge", context);
  const ConfigNode* node = section.table().find("challenge");
  if (node == nullptr) spec.challenges = {context.first_challenge};
  if (node != nullptr && node->kind == ConfigNode::Kind::list && node->children.empty()) {
    section.problem("challenge", "is empty, so that nothing could be proved",
                    "name a challenge, or remove the key to use the first one");
  }
  for (const std::string& name : spec.challenges) {
    const auto challenge = context.config.challenges.find(name);
    if (challenge == context.config.challenges.end() || challenge->second.type.empty()) continue;
    refuse_unprovable(section, domains, challenge->second);
  }
}

void read_cas(ConfigSection& section, CertificateSpec& spec, const ConfigContext& context) {
  spec.cas = read_references(section, "ca", context);
  const ConfigNode* node = section.table().find("ca");
  if (node == nullptr) {
    for (const CaConfig& ca : context.config.cas) spec.cas.push_back(ca.name);
  } else if (node->kind == ConfigNode::Kind::list && node->children.empty()) {
    section.problem("ca", "is empty, so that nobody could issue this certificate",
                    "name a CA, or remove the key to use all of them");
  }
}

// Where only public CAs are asked. A private one may issue for what is its operator's own.
void refuse_unpublic_domains(ConfigSection& section, const std::vector<PlacedDomain>& domains,
                             const CertificateSpec& spec, const ConfigContext& context) {
  const bool all_public =
      std::all_of(spec.cas.begin(), spec.cas.end(), [&](const std::string& name) {
        const CaConfig* const ca = context.config.find_ca(name);
        return ca != nullptr && is_public_directory(ca->directory);
      });
  if (!all_public || spec.cas.empty()) return;
  for (const PlacedDomain& domain : domains) {
    const std::string why = why_not_public(domain.identifier);
    if (why.empty()) continue;
    section.problem_at(
        *domain.node, "domains",
        "\"" + domain.identifier.value + "\" " + why + "; public CAs issue for no such name",
        "remove it, or get it from a private CA in a [[certificate]] of its own");
  }
}

// Two names for one CA are no help on the day it is gone.
void read_standby(ConfigSection& section, CertificateSpec& spec, const ConfigContext& context) {
  spec.standby = section.boolean("standby").value_or(false);
  if (!spec.standby || !context.complete || spec.cas.empty()) return;
  const ConfigNode* node = section.table().find("ca");
  const bool all_known = node == nullptr || node->kind != ConfigNode::Kind::list ||
                         node->children.size() == spec.cas.size();
  std::set<std::string> directories;
  for (const std::string& name : spec.cas) {
    const CaConfig* ca = context.config.find_ca(name);
    if (ca == nullptr || ca->directory.empty()) return;  // has its own problem
    directories.insert(ca->directory);
  }
  if (!all_known || directories.size() > 1) return;
  section.problem("standby", "a standby is from another CA, and this certificate has only one",
                  "add a second [[ca]] and let `ca` list both, or remove standby");
}

// The key types after the first, which is the spec's own.
std::vector<acme::KeyType> read_key_types(ConfigSection& section, CertificateSpec& spec) {
  const ConfigNode* node = section.find("key");
  if (node == nullptr || node->kind != ConfigNode::Kind::list) {
    spec.key_type = read_key_type(section, "key").value_or(spec.key_type);
    return {};
  }
  std::vector<acme::KeyType> types;
  for (const ConfigNode* item :
       section.texts("key", true).value_or(std::vector<const ConfigNode*>{})) {
    const auto type = key_type_of(section, *item, "key");
    if (!type) continue;
    const bool same_kind = std::any_of(types.begin(), types.end(), [&](acme::KeyType other) {
      return std::string_view(acme::kind_of(other)) == acme::kind_of(*type);
    });
    if (same_kind) {
      section.problem_at(*item, "key",
                         "\"" + item->text +
                             "\" is of the same kind as another one, and a server "
                             "shows a client only one of them",
                         "name one ECDSA and one RSA type");
      continue;
    }
    types.push_back(*type);
  }
  if (node->children.empty()) section.problem("key", "is empty", "name a key type");
  if (types.empty()) return {};
  spec.key_type = types.front();
  types.erase(types.begin());
  return types;
}

// The operator's own key or signing request decides about the type.
void refuse_key_settings(ConfigSection& section, const std::string& file) {
  if (section.table().find("key") == nullptr && section.table().find("reuse_key") == nullptr) {
    return;
  }
  section.problem(file, "stands beside key or reuse_key, and the file decides about both",
                  "remove those, or remove " + file + " to have nolapse make the keys");
}

void read_key_file(ConfigSection& section, CertificateSpec& spec, const ConfigContext& context) {
  spec.key_file = read_path(section, "key_file");
  if (spec.key_file.empty()) return;
  refuse_key_settings(section, "key_file");
  if (context.use == ConfigUse::look) return;
  const auto pem = context.files.read(spec.key_file);
  const auto key =
      pem ? acme::PrivateKey::from_pem(*pem) : Result<acme::PrivateKey>(fail(pem.error()));
  if (!key) {
    section.problem("key_file",
                    pem ? spec.key_file + ": " + key.error().message : key.error().message,
                    "name a private key in PEM form, not encrypted, that nolapse may read");
  } else if (!key->type()) {
    section.problem("key_file", spec.key_file + " holds a kind of key that CAs do not take",
                    "make one with: openssl ecparam -name prime256v1 -genkey -noout");
  } else {
    spec.key_type = *key->type();
  }
}

// After everything that it may stand beside.
void read_csr_file(ConfigSection& section, CertificateSpec& spec, const ConfigContext& context) {
  spec.csr_file = read_path(section, "csr_file");
  if (spec.csr_file.empty()) return;
  if (spec.key_file.empty()) refuse_key_settings(section, "csr_file");
  if (spec.must_staple) {
    section.problem("must_staple", "stands beside csr_file, and that request decides about it",
                    "remove it, and put the extension (tlsfeature = status_request) into the file");
  }
  if (spec.key_file.empty() && !spec.group.empty()) {
    section.problem("group", "is to read the private key, and with csr_file alone there is none",
                    "remove it, or add key_file");
  }
  const ConfigNode* domains = section.table().find("domains");
  const bool domains_are_good =
      domains != nullptr && domains->children.size() == spec.domains.size();
  if (context.use == ConfigUse::look || !domains_are_good) return;
  const auto request = read_own_request(context.files, spec);
  if (!request) {
    return section.problem_at(*section.table().find("csr_file"), "csr_file", request.error(),
                              "name a certificate signing request in PEM form");
  }
  spec.key_type = request->key_type;
  CertificateSpec key_alone = spec;
  key_alone.csr_file.clear();
  const std::string key = own_public_key(context.files, key_alone);
  if (!key.empty() && key != request->public_key_der) {
    section.problem("key_file", spec.key_file + " is not the key of " + spec.csr_file,
                    "name the key that the request was made with, or remove key_file");
  }
}

void read_endpoints(ConfigSection& section, CertificateSpec& spec) {
  const auto items = section.texts("endpoints", false);
  if (!items) return;
  spec.endpoints.emplace();
  for (const ConfigNode* item : *items) {
    auto endpoint = parse_endpoint(item->text, spec.domains);
    if (endpoint) {
      spec.endpoints->push_back(std::move(*endpoint));
    } else {
      section.problem_at(*item, "endpoints", endpoint.error().reason, endpoint.error().fix);
    }
  }
}

}  // namespace

void read_certificate(const ConfigNode& table, int number, ConfigContext& context) {
  ConfigSection section(table, "certificate", "", context.problems);
  CertificateSpec spec;
  spec.name = read_name(section, number, context);
  const auto domains = read_domains(section, spec);
  read_challenges(section, domains, spec, context);
  const auto more_types = read_key_types(section, spec);
  spec.reuse_key = section.boolean("reuse_key").value_or(false);
  read_key_file(section, spec, context);
  spec.must_staple = section.boolean("must_staple").value_or(false);
  spec.lifetime = section.duration("lifetime", std::chrono::minutes(5), std::chrono::days(398),
                                   "from 5m to 398d");
  read_cas(section, spec, context);
  refuse_unpublic_domains(section, domains, spec, context);
  read_standby(section, spec, context);
  for (const std::string& name : read_references(section, "deploy", context)) {
    for (const auto& [target, each] : context.config.targets) {
      if (each.section == name) spec.deploy.push_back(target);
    }
  }
  read_endpoints(section, spec);
  spec.renew_before = section.duration("renew_before", std::chrono::seconds(1),
                                       std::chrono::days(3650), "from 1s to 3650d");
  spec.profile = section.text("profile").value_or("");
  spec.group = section.text("group").value_or("");
  if (spec.group.find_first_of(" :/") != std::string::npos) {
    section.problem("group", "\"" + spec.group + "\" is no group name",
                    "write the name of one group of this host");
  }
  read_csr_file(section, spec, context);
  section.refuse_unknown_keys();
  if (spec.name.empty()) return;
  spec.family = spec.name;
  spec.beside_others = !more_types.empty();
  context.config.certificates.push_back(spec);
  for (const acme::KeyType type : more_types) {
    spec.key_type = type;
    spec.name = spec.family + "." + acme::name_of(type);
    if (define_name(section, spec.name, "key", context)) {
      context.config.certificates.push_back(spec);
    }
  }
}

}  // namespace nolapse
