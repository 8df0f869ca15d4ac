// `desec`: token_file holds a token of the account.
#include "acme/json_read.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

class Desec : public DnsService {
 public:
  const char* base() const override { return "https://desec.io/api/v1"; }

  // https://desec.readthedocs.io/en/latest/auth/tokens.html
  void authorise(Request& request, const Secrets& secrets, Time) const override {
    request.headers.push_back({"Authorization", "Token " + secrets.at("token_file")});
  }

  // https://desec.readthedocs.io/en/latest/dns/domains.html#retrieving-a-specific-domain
  Request find(const std::string& zone) const override {
    return {"GET", "/domains/" + zone + "/", {}, {}};
  }
  tl::expected<std::string, std::string> zone_id(const Response&,
                                                 const std::string& zone) const override {
    return zone;
  }

  // https://desec.readthedocs.io/en/latest/dns/rrsets.html#retrieving-a-specific-rrset
  Request list(const Place& place) const override {
    return {"GET", sets(place) + place.relative + "/TXT/", {}, {}};
  }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place&) const override {
    const auto document = acme::parse_object(response.body, "the reply");
    if (!document) return tl::unexpected(document.error().message);
    std::vector<Held> found;
    for (const std::string& text : acme::string_list_member(*document, "records")) {
      found.push_back({text, {}});
    }
    return found;
  }

  // https://desec.readthedocs.io/en/latest/dns/rrsets.html#bulk-modification-of-rrsets
  // PATCH creates what is missing and deletes what has no records left.
  std::vector<Request> change(const Place& place, const Change& change) const override {
    constexpr int shortest_ttl = 3600;
    const std::string name = place.relative == "@" ? "" : place.relative;
    return {json_request("PATCH", sets(place),
                         acme::dump(nlohmann::json::array({{{"subname", name},
                                                            {"type", "TXT"},
                                                            {"ttl", shortest_ttl},
                                                            {"records", texts_after(change)}}})))};
  }

 private:
  static std::string sets(const Place& place) { return "/domains/" + place.zone.id + "/rrsets/"; }
};

}  // namespace

std::unique_ptr<DnsProvider> make_desec(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world, std::make_unique<Desec>());
}

}  // namespace nolapse
