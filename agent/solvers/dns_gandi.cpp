// `gandi`: LiveDNS; token_file holds a personal access token that may manage the domain's technical
// configuration.
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

class Gandi : public DnsService {
 public:
  const char* base() const override { return "https://api.gandi.net/v5/livedns"; }

  // https://api.gandi.net/docs/authentication/
  void authorise(Request& request, const Secrets& secrets, Time) const override {
    authorise_bearer(request, secrets);
  }

  // https://api.gandi.net/docs/livedns/#get-v5-livedns-domains-fqdn
  Request find(const std::string& zone) const override {
    return {"GET", "/domains/" + zone, {}, {}};
  }
  tl::expected<std::string, std::string> zone_id(const Response&,
                                                 const std::string& zone) const override {
    return zone;
  }

  // https://api.gandi.net/docs/livedns/ (GET, PUT, DELETE /domains/{fqdn}/records/{name}/{type})
  Request list(const Place& place) const override { return {"GET", set(place), {}, {}}; }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place&) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    std::vector<Held> found;
    for (const std::string& text : acme::string_list_member(*document, "rrset_values")) {
      found.push_back({text, {}});
    }
    return found;
  }

  // The same page: PUT replaces the whole set.
  std::vector<Request> change(const Place& place, const Change& change) const override {
    const auto texts = texts_after(change);
    if (texts.empty()) return {{"DELETE", set(place), {}, {}}};
    constexpr int shortest_ttl = 300;
    return {json_request("PUT", set(place),
                         acme::dump({{"rrset_ttl", shortest_ttl}, {"rrset_values", texts}}))};
  }

 private:
  static std::string set(const Place& place) {
    return "/domains/" + place.zone.id + "/records/" + place.relative + "/TXT";
  }
};

}  // namespace

std::unique_ptr<DnsProvider> make_gandi(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world, std::make_unique<Gandi>());
}

}  // namespace nolapse
