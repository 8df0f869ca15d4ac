// `cloudflare`: token_file holds an API token with the permission DNS Write for the zone.
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

using nlohmann::json;

class Cloudflare : public DnsService {
 public:
  const char* base() const override { return "https://api.cloudflare.com/client/v4"; }

  // https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/
  void authorise(Request& request, const Secrets& secrets, Time) const override {
    authorise_bearer(request, secrets);
  }

  // https://developers.cloudflare.com/api/resources/zones/methods/list/
  Request find(const std::string& zone) const override {
    return {"GET", "/zones?name=" + zone, {}, {}};
  }
  tl::expected<std::string, std::string> zone_id(const Response& response,
                                                 const std::string& zone) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    for (const json& each : acme::array_member(*document, "result")) {
      if (acme::string_member(each, "name") != zone) continue;
      std::string id = acme::string_member(each, "id");
      if (is_path_safe(id)) return id;
      return tl::unexpected<std::string>("the id of " + zone + " is no id");
    }
    return "";
  }

  // https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/list/
  Request list(const Place& place) const override {
    return {"GET", records(place) + "?type=TXT&per_page=100&name=" + place.name, {}, {}};
  }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place& place) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    std::vector<Held> found;
    for (const json& each : acme::array_member(*document, "result")) {
      const std::string id = acme::string_member(each, "id");
      if (acme::string_member(each, "type") != "TXT" || !is_path_safe(id)) continue;
      if (acme::string_member(each, "name") != place.name) continue;
      found.push_back({acme::string_member(each, "content"), id});
    }
    return found;
  }

  // https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/create/
  // https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/delete/
  std::vector<Request> change(const Place& place, const Change& change) const override {
    if (change.add) {
      return {json_request("POST", records(place),
                           acme::dump({{"type", "TXT"},
                                       {"name", place.name},
                                       {"content", quoted(change.value)},
                                       {"ttl", 60}}))};
    }
    std::vector<Request> requests;
    for (const Held& holder : holders(change)) {
      requests.push_back({"DELETE", records(place) + "/" + holder.id, {}, {}});
    }
    return requests;
  }

 private:
  static std::string records(const Place& place) {
    return "/zones/" + place.zone.id + "/dns_records";
  }
};

}  // namespace

std::unique_ptr<DnsProvider> make_cloudflare(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world, std::make_unique<Cloudflare>());
}

}  // namespace nolapse
