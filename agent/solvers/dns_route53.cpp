// `route53`: access_key_id and secret_access_key_file of a user that may call
// route53:ListHostedZonesByName, ListResourceRecordSets and ChangeResourceRecordSets;
// session_token_file for temporary credentials. Replies are XML, from which a few elements without
// attributes are taken.
#include <utility>

#include "agent/solvers/aws_signature.h"
#include "agent/solvers/dns_providers.h"
#include "agent/solvers/dns_service.h"

namespace nolapse {
namespace {

// The contents of all elements of that name, which do not hold one another.
std::vector<std::string> elements(std::string_view xml, const std::string& name) {
  std::vector<std::string> contents;
  const std::string opening = "<" + name + ">";
  const std::string closing = "</" + name + ">";
  for (std::size_t begin = xml.find(opening); begin != std::string_view::npos;
       begin = xml.find(opening, begin)) {
    begin += opening.size();
    const std::size_t end = xml.find(closing, begin);
    if (end == std::string_view::npos) break;
    contents.emplace_back(xml.substr(begin, end - begin));
    begin = end;
  }
  return contents;
}

std::string element(std::string_view xml, const std::string& name) {
  const auto all = elements(xml, name);
  return all.empty() ? "" : all.front();
}

constexpr std::pair<const char*, const char*> entities[] = {{"&quot;", "\""}, {"&#34;", "\""},
                                                            {"&apos;", "'"},  {"&lt;", "<"},
                                                            {"&gt;", ">"},    {"&amp;", "&"}};

std::string unescaped(const std::string& xml) {
  std::string text;
  for (std::size_t i = 0; i < xml.size();) {
    bool replaced = false;
    for (const auto& [entity, character] : entities) {
      if (xml.compare(i, std::string_view(entity).size(), entity) != 0) continue;
      text += character;
      i += std::string_view(entity).size();
      replaced = true;
      break;
    }
    if (!replaced) text += xml[i++];
  }
  return text;
}

std::string escaped(const std::string& text) {
  std::string xml;
  for (const char c : text) {
    xml += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return xml;
}

class Route53 : public DnsService {
 public:
  explicit Route53(std::string access_key_id) : access_key_id_(std::move(access_key_id)) {}

  const char* base() const override { return "https://route53.amazonaws.com"; }

  // https://docs.aws.amazon.com/general/latest/gr/r53.html (the region is us-east-1)
  void authorise(Request& request, const Secrets& secrets, Time now) const override {
    const auto session = secrets.find("session_token_file");
    sign_aws_request(request,
                     {access_key_id_, secrets.at("secret_access_key_file"),
                      session == secrets.end() ? "" : session->second, "us-east-1", "route53"},
                     now);
  }

  // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html
  // Zones from that name on, in order.
  Request find(const std::string& zone) const override {
    return {"GET", "/2013-04-01/hostedzonesbyname?dnsname=" + zone, {}, {}};
  }
  tl::expected<std::string, std::string> zone_id(const Response& response,
                                                 const std::string& zone) const override {
    for (const std::string& each : elements(response.body, "HostedZone")) {
      if (element(each, "Name") != zone + "." || element(each, "PrivateZone") == "true") continue;
      std::string id = element(each, "Id");
      id.erase(0, id.rfind('/') + 1);  // "/hostedzone/Z1"
      if (is_path_safe(id)) return id;
      return tl::unexpected<std::string>("the id of " + zone + " is no id");
    }
    if (response.body.find("ListHostedZonesByNameResponse") != std::string::npos) return "";
    return tl::unexpected<std::string>("the reply is no list of zones");
  }

  // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html
  // Sets from that name and type on, in order. The TTL is kept as the id: it is part of what a set
  // is deleted by.
  Request list(const Place& place) const override {
    return {"GET", path(place) + "?maxitems=1&name=" + place.name + "&type=TXT", {}, {}};
  }
  tl::expected<std::vector<Held>, std::string> held(const Response& response,
                                                    const Place& place) const override {
    if (response.body.find("ListResourceRecordSetsResponse") == std::string::npos) {
      return tl::unexpected<std::string>("the reply is no list of records");
    }
    std::vector<Held> found;
    for (const std::string& set : elements(response.body, "ResourceRecordSet")) {
      if (element(set, "Name") != place.name + "." || element(set, "Type") != "TXT") continue;
      const std::string ttl = element(set, "TTL");
      for (const std::string& value : elements(set, "Value")) {
        found.push_back({unescaped(value), is_path_safe(ttl) ? ttl : "60"});
      }
    }
    return found;
  }

  // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
  std::vector<Request> change(const Place& place, const Change& change) const override {
    auto texts = texts_after(change);
    const std::string action = texts.empty() ? "DELETE" : "UPSERT";
    // Of values that others put there the lifetime is theirs.
    const std::string ttl = change.held.empty() ? "60" : change.held.front().id;
    if (texts.empty()) {
      for (const Held& each : change.held) texts.push_back(each.text);
    }
    std::string values;
    for (const std::string& text : texts) {
      values += "<ResourceRecord><Value>" + escaped(text) + "</Value></ResourceRecord>";
    }
    return {{"POST",
             path(place),
             {{"Content-Type", "text/xml"}},
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<ChangeResourceRecordSetsRequest "
             "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>"
             "<Change><Action>" +
                 action + "</Action><ResourceRecordSet><Name>" + place.name +
                 ".</Name><Type>TXT</Type><TTL>" + ttl + "</TTL><ResourceRecords>" + values +
                 "</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"
                 "</ChangeResourceRecordSetsRequest>"}};
  }

 private:
  static std::string path(const Place& place) {
    return "/2013-04-01/hostedzone/" + place.zone.id + "/rrset";
  }

  const std::string access_key_id_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_route53(const ChallengeConfig& challenge, World world) {
  return make_service_provider(challenge, world,
                               std::make_unique<Route53>(setting_of(challenge, "access_key_id")));
}

}  // namespace nolapse
