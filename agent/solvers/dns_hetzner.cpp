// `hetzner`: zones in the Hetzner Console (not those of the DNS Console that preceded it);
// token_file holds an API token of the project, with permission to read and write.
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

using nlohmann::json;

class Hetzner : public DnsService {
 public:
  const char* base() const override { return "https://api.hetzner.cloud/v1"; }

  // https://docs.hetzner.cloud/reference/cloud#authentication
  void authorise(Request& request, const Secrets& secrets, Time) const override {
    authorise_bearer(request, secrets);
  }

  // https://docs.hetzner.cloud/reference/cloud#zones-get-a-zone (a zone's name is an id, too)
  Request find(const std::string& zone) const override { return {"GET", "/zones/" + zone, {}, {}}; }
  tl::expected<std::string, std::string> zone_id(const Response&,
                                                 const std::string& zone) const override {
    return zone;
  }

  // https://docs.hetzner.cloud/reference/cloud#zone-rrsets-get-an-rrset
  Request list(const Place& place) const override { return {"GET", set(place), {}, {}}; }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place&) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    std::vector<Held> found;
    for (const json& each :
         acme::array_member(acme::object_member(*document, "rrset"), "records")) {
      found.push_back({acme::string_member(each, "value"), {}});
    }
    return found;
  }

  // https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions-add-records-to-an-rrset
  // https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions-remove-records-from-an-rrset
  // Sets come with their first record and go with their last. The reply comes before the change is
  // made; whether it is, the name servers tell.
  std::vector<Request> change(const Place& place, const Change& change) const override {
    json records = json::array();
    if (change.add) {
      records.push_back({{"value", quoted(change.value)}});
      return {json_request("POST", set(place) + "/actions/add_records",
                           acme::dump({{"ttl", 60}, {"records", records}}))};
    }
    for (const Held& holder : holders(change)) records.push_back({{"value", holder.text}});
    return {json_request("POST", set(place) + "/actions/remove_records",
                         acme::dump({{"records", records}}))};
  }

 private:
  static std::string set(const Place& place) {
    return "/zones/" + place.zone.id + "/rrsets/" + place.relative + "/TXT";
  }
};

}  // namespace

std::unique_ptr<DnsProvider> make_hetzner(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world, std::make_unique<Hetzner>());
}

}  // namespace nolapse
