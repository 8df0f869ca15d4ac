// Services with an API of their own, each against a script of what its documentation tells: the
// requests to the letter, and replies as they are documented there.
#include "agent/solvers/dns_service.h"

#include <doctest/doctest.h>

#include "tests/agent/solvers/provider_fixture.h"

namespace nolapse {
namespace {

const std::string ours = "_acme-challenge.www.shop.example";

struct Service {
  std::string provider;
  std::string authorization;
  std::vector<Exchange> find;  // the zone is there
  Exchange list;               // the exchange that lists the values; the reply is one of:
  std::string with_ours;       // beside another value
  std::string only_ours;
  std::string without;                // another value only
  std::vector<Exchange> add;          // to `without`
  std::vector<Exchange> remove;       // from `with_ours`
  std::vector<Exchange> remove_last;  // from `only_ours`
};

std::string aws_set(const std::string& values) {
  return "<?xml version=\"1.0\"?>\n<ListResourceRecordSetsResponse xmlns=\"x\"><ResourceRecordSets>"
         "<ResourceRecordSet><Name>" +
         ours + ".</Name><Type>TXT</Type><TTL>300</TTL><ResourceRecords>" + values +
         "</ResourceRecords></ResourceRecordSet></ResourceRecordSets>"
         "</ListResourceRecordSetsResponse>";
}

std::string aws_value(const std::string& value) {
  return "<ResourceRecord><Value>" + value + "</Value></ResourceRecord>";
}

std::string aws_change(const std::string& action, const std::string& ttl,
                       const std::string& values) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ChangeResourceRecordSetsRequest "
         "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change>"
         "<Action>" +
         action + "</Action><ResourceRecordSet><Name>" + ours + ".</Name><Type>TXT</Type><TTL>" +
         ttl + "</TTL><ResourceRecords>" + values +
         "</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"
         "</ChangeResourceRecordSetsRequest>";
}

std::vector<Service> services() {
  const std::string cf = "https://api.cloudflare.com/client/v4/zones";
  const std::string cf_records = cf + "/023e105f/dns_records";
  const std::string cf_ours =
      R"({"id":"r1","type":"TXT","name":")" + ours + R"(","content":"\"v4lue\""})";
  const std::string cf_other =
      R"({"id":"r2","type":"TXT","name":")" + ours + R"(","content":"other"})";
  const std::string ocean = "https://api.digitalocean.com/v2/domains/shop.example";
  const std::string ocean_ours =
      R"({"id":3352896,"type":"TXT","name":"_acme-challenge.www","data":"v4lue","ttl":30})";
  const std::string ocean_other =
      R"({"id":3352897,"type":"TXT","name":"_acme-challenge.www","data":"other","ttl":30})";
  const std::string hetzner = "https://api.hetzner.cloud/v1/zones/shop.example";
  const std::string hetzner_set = hetzner + "/rrsets/_acme-challenge.www/TXT";
  const std::string gandi = "https://api.gandi.net/v5/livedns/domains/shop.example";
  const std::string gandi_set = gandi + "/records/_acme-challenge.www/TXT";
  const std::string desec = "https://desec.io/api/v1/domains/shop.example/";
  const std::string desec_head = R"([{"records":)";
  const std::string desec_tail = R"(,"subname":"_acme-challenge.www","ttl":3600,"type":"TXT"}])";
  const std::string aws = "https://route53.amazonaws.com/2013-04-01/";
  const std::string aws_zone = aws + "hostedzone/Z1PA6795UKMFR9/rrset";
  const std::string quoted_ours = aws_value("\"v4lue\"");
  const std::string quoted_other = aws_value("\"a &amp; b\"");
  return {
      {"cloudflare",
       "Bearer s3cret-token",
       {{"GET " + cf + "?name=shop.example", "", 200,
         R"({"success":true,"result":[{"id":"023e105f","name":"shop.example"}]})"}},
       {"GET " + cf_records + "?type=TXT&per_page=100&name=" + ours, "", 200, ""},
       R"({"result":[)" + cf_other + "," + cf_ours + "]}",
       R"({"result":[)" + cf_ours + "]}",
       R"({"result":[)" + cf_other + "]}",
       {{"POST " + cf_records,
         R"({"content":"\"v4lue\"","name":")" + ours + R"(","ttl":60,"type":"TXT"})"}},
       {{"DELETE " + cf_records + "/r1", ""}},
       {{"DELETE " + cf_records + "/r1", "", 404, "gone"}}},
      {"digitalocean",
       "Bearer s3cret-token",
       {{"GET " + ocean, ""}},
       {"GET " + ocean + "/records?type=TXT&per_page=200&name=" + ours, "", 200, ""},
       R"({"domain_records":[)" + ocean_other + "," + ocean_ours + "]}",
       R"({"domain_records":[)" + ocean_ours + "]}",
       R"({"domain_records":[)" + ocean_other + "]}",
       {{"POST " + ocean + "/records",
         R"({"data":"v4lue","name":"_acme-challenge.www","ttl":30,"type":"TXT"})", 201}},
       {{"DELETE " + ocean + "/records/3352896", "", 204}},
       {{"DELETE " + ocean + "/records/3352896", "", 204}}},
      {"hetzner",
       "Bearer s3cret-token",
       {{"GET " + hetzner, ""}},
       {"GET " + hetzner_set, "", 200, ""},
       R"({"rrset":{"records":[{"value":"\"other\""},{"value":"\"v4lue\"","comment":""}]}})",
       R"({"rrset":{"records":[{"value":"\"v4lue\""}]}})",
       R"({"rrset":{"records":[{"value":"\"other\""}]}})",
       {{"POST " + hetzner_set + "/actions/add_records",
         R"({"records":[{"value":"\"v4lue\""}],"ttl":60})", 201}},
       {{"POST " + hetzner_set + "/actions/remove_records",
         R"({"records":[{"value":"\"v4lue\""}]})", 201}},
       {{"POST " + hetzner_set + "/actions/remove_records",
         R"({"records":[{"value":"\"v4lue\""}]})", 201}}},
      {"gandi",
       "Bearer s3cret-token",
       {{"GET " + gandi, ""}},
       {"GET " + gandi_set, "", 200, ""},
       R"({"rrset_values":["\"other\"","\"v4lue\""],"rrset_ttl":300})",
       R"({"rrset_values":["\"v4lue\""]})",
       R"({"rrset_values":["\"other\""]})",
       {{"PUT " + gandi_set, R"({"rrset_ttl":300,"rrset_values":["\"other\"","\"v4lue\""]})", 201}},
       {{"PUT " + gandi_set, R"({"rrset_ttl":300,"rrset_values":["\"other\""]})", 201}},
       {{"DELETE " + gandi_set, "", 204}}},
      {"desec",
       "Token s3cret-token",
       {{"GET " + desec, ""}},
       {"GET " + desec + "rrsets/_acme-challenge.www/TXT/", "", 200, ""},
       R"({"records":["\"other\"","\"v4lue\""],"ttl":3600})",
       R"({"records":["\"v4lue\""]})",
       R"({"records":["\"other\""]})",
       {{"PATCH " + desec + "rrsets/", desec_head + R"(["\"other\"","\"v4lue\""])" + desec_tail}},
       {{"PATCH " + desec + "rrsets/", desec_head + R"(["\"other\""])" + desec_tail}},
       {{"PATCH " + desec + "rrsets/", desec_head + "[]" + desec_tail}}},
      {"route53",
       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
       {{"GET " + aws + "hostedzonesbyname?dnsname=shop.example", "", 200,
         "<ListHostedZonesByNameResponse><HostedZones>"
         "<HostedZone><Id>/hostedzone/ZPRIVATE</Id><Name>shop.example.</Name><Config>"
         "<PrivateZone>true</PrivateZone></Config></HostedZone>"
         "<HostedZone><Id>/hostedzone/Z1PA6795UKMFR9</Id><Name>shop.example.</Name><Config>"
         "<PrivateZone>false</PrivateZone></Config></HostedZone></HostedZones>"
         "</ListHostedZonesByNameResponse>"}},
       {"GET " + aws_zone + "?maxitems=1&name=" + ours + "&type=TXT", "", 200, ""},
       aws_set(aws_value("&quot;a &amp; b&quot;") + aws_value("&quot;v4lue&quot;")),
       aws_set(quoted_ours),
       aws_set(quoted_other),
       {{"POST " + aws_zone, aws_change("UPSERT", "300", quoted_other + quoted_ours)}},
       {{"POST " + aws_zone, aws_change("UPSERT", "300", quoted_other)}},
       {{"POST " + aws_zone, aws_change("DELETE", "300", quoted_ours)}}},
  };
}

ProviderFixture& prepared(ProviderFixture& fixture) {
  fixture.fake.files.put("/etc/token", "s3cret-token\n");
  return fixture;
}

std::map<std::string, std::string> settings_for(const std::string& provider) {
  if (provider != "route53") return {{"token_file", "/etc/token"}};
  return {{"access_key_id", "AKIDEXAMPLE"}, {"secret_access_key_file", "/etc/token"}};
}

// The zone is found, the values are listed with that reply, and these requests follow.
std::vector<Exchange> script(const Service& service, int status, const std::string& listed,
                             const std::vector<Exchange>& changes) {
  std::vector<Exchange> all = service.find;
  all.push_back(service.list);
  all.back().status = status;
  all.back().reply = listed;
  all.insert(all.end(), changes.begin(), changes.end());
  return all;
}

TEST_CASE("each service gets one value beside the others, and gives that one back") {
  for (const Service& service : services()) {
    CAPTURE(service.provider);
    ProviderFixture fixture(service.provider, settings_for(service.provider));
    prepared(fixture);
    CHECK(fixture.add(script(service, 200, service.without, service.add)) == "");
    for (const acme::HttpRequest& request : fixture.http.requests) {
      CHECK(request.headers.back().name == "Authorization");
      CHECK(request.headers.back().value.starts_with(service.authorization));
    }
    CHECK(fixture.remove(script(service, 200, service.with_ours, service.remove)) == "");
    CHECK(fixture.remove(script(service, 200, service.only_ours, service.remove_last)) == "");
  }
}

TEST_CASE("what is as it should be is not changed, so a second call does no harm") {
  for (const Service& service : services()) {
    CAPTURE(service.provider);
    ProviderFixture fixture(service.provider, settings_for(service.provider));
    prepared(fixture);
    CHECK(fixture.add(script(service, 200, service.with_ours, {})) == "");
    CHECK(fixture.remove(script(service, 200, service.without, {})) == "");
    CHECK(fixture.remove(script(service, 404, "{}", {})) == "");
  }
}

TEST_CASE("a zone that the service does not have leads to the one above it") {
  ProviderFixture fixture("digitalocean", settings_for("digitalocean"));
  prepared(fixture);
  const std::string api = "https://api.digitalocean.com/v2/domains/";
  fixture.record.zone = "www.shop.example";
  CHECK(fixture.add({{"GET " + api + "www.shop.example", "", 404},
                     {"GET " + api + "_acme-challenge.www.shop.example", "", 404},
                     {"GET " + api + "shop.example", ""},
                     {"GET " + api + "shop.example/records?type=TXT&per_page=200&name=" + ours, "",
                      200, "{}"},
                     {"POST " + api + "shop.example/records",
                      R"({"data":"v4lue","name":"_acme-challenge.www","ttl":30,"type":"TXT"})"}}) ==
        "");
  CHECK(fixture.add({{"GET " + api + "www.shop.example", "", 404},
                     {"GET " + api + "_acme-challenge.www.shop.example", "", 404},
                     {"GET " + api + "shop.example", "", 404}}) ==
        "DNS_PROVIDER_REFUSED: digitalocean has no zone for _acme-challenge.www.shop.example that "
        "this account may see; is it the service that serves www.shop.example, and is the token "
        "for that zone?");
}

TEST_CASE("a record at the apex of its zone has the service's name for it") {
  ProviderFixture fixture("desec", settings_for("desec"));
  prepared(fixture);
  fixture.record.name = fixture.record.zone = "proofs.example";
  const std::string api = "https://desec.io/api/v1/domains/proofs.example/";
  CHECK(fixture.add({{"GET " + api, ""},
                     {"GET " + api + "rrsets/@/TXT/", "", 404},
                     {"PATCH " + api + "rrsets/",
                      R"([{"records":["\"v4lue\""],"subname":"","ttl":3600,"type":"TXT"}])"}}) ==
        "");
}

TEST_CASE("api names another base, and the token is read at each use") {
  ProviderFixture fixture("gandi", {{"token_file", "/etc/token"}, {"api", "https://own.test/x"}});
  CHECK(fixture.add().starts_with("FILE_MISSING: /etc/token"));
  fixture.fake.files.put("/etc/token", "first-token");
  CHECK(fixture.add({{"GET https://own.test/x/domains/shop.example", "", 401, "who?"}}) ==
        "DNS_PROVIDER_REFUSED: GET https://own.test/x/domains/shop.example: status 401: who?");
  fixture.fake.files.put("/etc/token", "second-token");
  CHECK(fixture.add({{"GET https://own.test/x/domains/shop.example", "", 500, "second-token"}}) ==
        "DNS_PROVIDER_FAILED: GET https://own.test/x/domains/shop.example: status 500: ***");
  CHECK(fixture.http.requests.back().headers.back().value == "Bearer second-token");
}

TEST_CASE("hostile replies give an error or nothing, and never reach a path") {
  struct Case {
    std::string provider;
    std::vector<Exchange> script;
    std::string outcome;
  };
  const std::string cf = "https://api.cloudflare.com/client/v4/zones";
  const std::string aws = "https://route53.amazonaws.com/2013-04-01/";
  const Exchange cf_zone = services()[0].find[0];
  const std::string cf_list = cf + "/023e105f/dns_records";
  const std::string gandi = "https://api.gandi.net/v5/livedns/domains/shop.example";
  const std::vector<Case> cases = {
      {"cloudflare",
       {{"GET " + cf + "?name=shop.example", "", 200, "<html>"}},
       "DNS_PROVIDER_FAILED: GET " + cf + ": the reply is not a JSON object: \"<html>\""},
      {"cloudflare",
       {{"GET " + cf + "?name=shop.example", "", 200,
         R"({"result":[{"id":"../x?","name":"shop.example"}]})"}},
       "DNS_PROVIDER_FAILED: GET " + cf + ": the id of shop.example is no id"},
      {"cloudflare",
       {cf_zone,
        {"GET " + cf_list + "?type=TXT&per_page=100&name=" + ours, "", 200,
         R"({"result":[7,{"id":"../x","type":"TXT","name":")" + ours +
             R"(","content":"v4lue"},{"id":"r3","type":"A","name":")" + ours +
             R"(","content":"v4lue"},{"id":"r4","type":"TXT","name":"else","content":"v4lue"}]})"}},
       ""},
      {"gandi",
       {{"GET " + gandi, ""}, {"GET " + gandi + "/records/_acme-challenge.www/TXT", "", 200, "[]"}},
       "DNS_PROVIDER_FAILED: GET " + gandi +
           "/records/_acme-challenge.www/TXT: the reply is not a JSON object: \"[]\""},
      {"route53",
       {{"GET " + aws + "hostedzonesbyname?dnsname=shop.example", "", 200, "<html>"}},
       "DNS_PROVIDER_FAILED: GET " + aws + "hostedzonesbyname: the reply is no list of zones"},
      {"route53",
       {{"GET " + aws + "hostedzonesbyname?dnsname=shop.example", "", 200,
         "<HostedZone><Id>a/b?c</Id><Name>shop.example.</Name></HostedZone><HostedZone><Id>"}},
       "DNS_PROVIDER_FAILED: GET " + aws + "hostedzonesbyname: the id of shop.example is no id"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.provider);
    ProviderFixture fixture(each.provider, settings_for(each.provider));
    prepared(fixture);
    CHECK(fixture.remove(each.script) == each.outcome);
  }
}

}  // namespace
}  // namespace nolapse
