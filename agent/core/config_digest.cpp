// What an attempt depends on, as one word: when it changes, what failed before may work now.
#include "acme/base64url.h"
#include "agent/core/config.h"

namespace nolapse {
namespace {

// Each part with its length, so that no two configurations run together.
class Digest {
 public:
  Digest& add(const std::string& part) {
    text_ += std::to_string(part.size()) + ":" + part + ",";
    return *this;
  }
  std::string value() const { return acme::base64url_encode(acme::sha256(text_)); }

 private:
  std::string text_;
};

}  // namespace

std::string digest_of(const CertificateSpec& spec, const Config& config) {
  Digest digest;
  for (const acme::Identifier& name : spec.domains) digest.add(name.type).add(name.value);
  digest.add(acme::name_of(spec.key_type)).add(spec.profile).add(config.resolver);
  digest.add(spec.key_file).add(spec.csr_file).add(spec.must_staple ? "staple" : "");
  digest.add(spec.lifetime ? acme::format_duration(*spec.lifetime) : "");
  for (const std::string& name : spec.challenges) {
    const auto challenge = config.challenges.find(name);
    if (challenge == config.challenges.end()) continue;
    const ChallengeConfig& way = challenge->second;
    digest.add(way.type).add(way.listen).add(way.webroot).add(std::to_string(way.validation_port));
    digest.add(way.provider);
    for (const auto& [key, value] : way.settings) digest.add(key).add(value);
    for (const auto& [key, value] : way.environment) digest.add(key).add(value);
  }
  for (const std::string& name : spec.cas) {
    const CaConfig* ca = config.find_ca(name);
    if (ca == nullptr) continue;
    digest.add(ca->directory).add(ca->profile).add(ca->eab_key_id).add(ca->roots_file);
    digest.add(ca->proxy).add(ca->preferred_chain);
  }
  for (const std::string& name : spec.deploy) {
    const auto target = config.targets.find(name);
    if (target == config.targets.end()) continue;
    digest.add(name).add(target->second.hook).add(target->second.user);
    digest.add(std::to_string(static_cast<int>(target->second.kind))).add(target->second.shim);
    for (const auto& [key, value] : target->second.environment) digest.add(key).add(value);
  }
  return digest.value();
}

}  // namespace nolapse
