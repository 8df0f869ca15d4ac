// `httpreq`: lego's protocol for a web service of one's own: POST ENDPOINT/present or
// ENDPOINT/cleanup with {"fqdn","value"}, or with mode = "RAW" {"domain","token","keyAuth"}; a user
// name and a password as HTTP has them. [https://go-acme.github.io/lego/dns/httpreq/]
#include <openssl/evp.h>

#include <nlohmann/json.hpp>

#include "agent/solvers/dns_providers.h"
#include "agent/solvers/provider_http.h"

namespace nolapse {
namespace {

std::string base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

class HttpReq : public DnsProvider {
 public:
  HttpReq(const ChallengeConfig& challenge, World world) : challenge_(challenge), world_(world) {}

  void add(Record record, Completion<void> done) override {
    post("/present", record, std::move(done));
  }
  void remove(Record record, Completion<void> done) override {
    post("/cleanup", record, std::move(done));
  }

 private:
  void post(const char* path, const Record& record, Completion<void> done) {
    const auto secrets = read_secrets(challenge_, world_);
    if (!secrets) return complete_later(world_, std::move(done), fail(secrets.error()));
    nlohmann::ordered_json body;
    if (setting_of(challenge_, "mode") == "RAW") {
      body = {{"domain", record.domain},
              {"token", record.token},
              {"keyAuth", record.key_authorization}};
    } else {
      body = {{"fqdn", record.name + "."}, {"value", record.value}};
    }
    acme::HttpRequest request{"POST",
                              setting_of(challenge_, "endpoint") + path,
                              {{"Content-Type", "application/json"}},
                              body.dump()};
    if (const auto password = secrets->find("password_file"); password != secrets->end()) {
      // [RFC 7617 §2]
      const std::string user = setting_of(challenge_, "username");
      request.headers.push_back(
          {"Authorization", "Basic " + base64(user + ":" + password->second)});
    }
    send_to_provider(
        challenge_, world_, request,
        [request, secrets = *secrets, done = std::move(done)](Result<acme::HttpResponse> response) {
          if (!response) return done(fail(response.error()));
          if (response->ok()) return done({});
          done(fail(refusal(request, *response, secrets)));
        });
  }

  const ChallengeConfig challenge_;
  World world_;
};

}  // namespace

std::unique_ptr<DnsProvider> make_httpreq(const ChallengeConfig& challenge, World world) {
  return std::make_unique<HttpReq>(challenge, world);
}

}  // namespace nolapse
