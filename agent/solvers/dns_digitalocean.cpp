// `digitalocean`: token_file holds a personal access token with the scopes domain:read,
// domain:create, domain:update and domain:delete.
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

using nlohmann::json;

class DigitalOcean : public DnsService {
 public:
  const char* base() const override { return "https://api.digitalocean.com/v2"; }

  // https://docs.digitalocean.com/reference/api/reference/ (Authentication)
  void authorise(Request& request, const Secrets& secrets, Time) const override {
    authorise_bearer(request, secrets);
  }

  // https://docs.digitalocean.com/reference/api/reference/domains/#domains_get
  Request find(const std::string& zone) const override {
    return {"GET", "/domains/" + zone, {}, {}};
  }
  tl::expected<std::string, std::string> zone_id(const Response&,
                                                 const std::string& zone) const override {
    return zone;
  }

  // https://docs.digitalocean.com/reference/api/reference/domain-records/#domains_list_records
  // The filter wants the whole name, the records hold the relative one.
  Request list(const Place& place) const override {
    return {"GET", records(place) + "?type=TXT&per_page=200&name=" + place.name, {}, {}};
  }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place& place) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    std::vector<Held> found;
    for (const json& each : acme::array_member(*document, "domain_records")) {
      const auto id = acme::integer_member(each, "id");
      if (acme::string_member(each, "type") != "TXT" || !id) continue;
      if (acme::string_member(each, "name") != place.relative) continue;
      found.push_back({acme::string_member(each, "data"), std::to_string(*id)});
    }
    return found;
  }

  // https://docs.digitalocean.com/reference/api/reference/domain-records/#domains_create_record
  // https://docs.digitalocean.com/reference/api/reference/domain-records/#domains_delete_record
  std::vector<Request> change(const Place& place, const Change& change) const override {
    if (change.add) {
      return {json_request(
          "POST", records(place),
          acme::dump(
              {{"type", "TXT"}, {"name", place.relative}, {"data", change.value}, {"ttl", 30}}))};
    }
    std::vector<Request> requests;
    for (const Held& holder : holders(change)) {
      requests.push_back({"DELETE", records(place) + "/" + holder.id, {}, {}});
    }
    return requests;
  }

 private:
  static std::string records(const Place& place) {
    return "/domains/" + place.zone.id + "/records";
  }
};

}  // namespace

std::unique_ptr<DnsProvider> make_digitalocean(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world, std::make_unique<DigitalOcean>());
}

}  // namespace nolapse
