#include "agent/solvers/dns_provider.h"

#include <array>

#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_rfc2136.h"

namespace nolapse {
namespace {

struct Maker {
  const char* provider;
  std::unique_ptr<DnsProvider> (*make)(const ChallengeConfig& challenge, World world);
};

constexpr std::array makers = {
    Maker{"exec", make_exec},
    Maker{"acme.sh", make_acme_sh},
    Maker{"lego-exec", make_lego_exec},
    Maker{"certbot-hook", make_certbot_hook},
    Maker{"httpreq", make_httpreq},
    Maker{"acme-dns", make_acme_dns},
    Maker{"cloudflare", make_cloudflare},
    Maker{"route53", make_route53},
    Maker{"digitalocean", make_digitalocean},
    Maker{"hetzner", make_hetzner},
    Maker{"gandi", make_gandi},
    Maker{"desec", make_desec},
};

}  // namespace

std::string setting_of(const ChallengeConfig& challenge, const std::string& key) {
  const auto found = challenge.settings.find(key);
  return found == challenge.settings.end() ? std::string() : found->second;
}

std::string shared_place(const ChallengeConfig& challenge) {
  for (const char* key : {"program", "script", "auth_hook"}) {
    if (const std::string path = setting_of(challenge, key); !path.empty()) return path;
  }
  return challenge.provider + " " + setting_of(challenge, "endpoint") +
         setting_of(challenge, "api");
}

std::string without_secrets(std::string text, const std::vector<std::string>& secrets) {
  constexpr std::size_t shortest = 6;  // what is shorter stands in any text by chance
  for (const std::string& secret : secrets) {
    if (secret.size() < shortest) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
    }
  }
  return text;
}

std::unique_ptr<DnsProvider> make_dns_provider(const ChallengeConfig& challenge, World world) {
  for (const Maker& maker : makers) {
    if (challenge.provider == maker.provider) return maker.make(challenge, world);
  }
  return make_rfc2136(challenge, world);
}

}  // namespace nolapse
