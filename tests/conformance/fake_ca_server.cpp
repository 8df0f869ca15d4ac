// The fake CA as a process: a request as a line of JSON in, a response as a line of JSON out. The
// fault proxy terminates TLS before it. Where the CA looks for a proof of control it asks the
// proxy, by a line with "validate", for what is found there. The first line has the URL under which
// it is reached; it is answered with the trust anchors of what it issues.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "acme/base64url.h"
#include "tests/support/fake_ca.h"

namespace nolapse {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

acme::Time now() {
  return std::chrono::floor<acme::Duration>(std::chrono::system_clock::now());
}

void tell(const json& message) {
  std::cout << message.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

json hear() {
  std::string line;
  if (!std::getline(std::cin, line)) return nullptr;
  return json::parse(line, nullptr, false);
}

FakeCaSettings settings_from(const json& wanted) {
  FakeCaSettings settings;
  settings.base_url = wanted.value("base_url", "");
  settings.reuse_orders = true;
  settings.revocation_list = false;
  settings.retry_after = 1s;
  settings.validation_delay = 200ms;
  settings.processing_delay = 300ms;
  settings.profiles = {{"default", {"ninety days", std::chrono::days(90)}},
                       {"shortlived", {"six days", std::chrono::days(6)}}};
  return settings;
}

std::optional<ValidationFailure> validate(const ValidationRequest& request) {
  tell({{"validate", {{"identifier", request.identifier.value}, {"token", request.token}}}});
  const std::string found = hear().value("found", "");
  if (found == request.key_authorization) return {};
  return ValidationFailure{"unauthorized", "found \"" + found + "\" instead of the proof"};
}

acme::HttpRequest request_from(const json& message) {
  acme::HttpRequest request;
  request.method = message.value("method", "");
  request.url = message.value("url", "");
  request.body = message.value("body", "");
  for (const json& field : message.at("headers")) {
    request.headers.push_back({field.at(0).get<std::string>(), field.at(1).get<std::string>()});
  }
  return request;
}

json message_from(const acme::HttpResponse& response) {
  json headers = json::array();
  for (const auto& field : response.headers) {
    headers.push_back(json::array({field.name, field.value}));
  }
  return {{"status", response.status}, {"headers", headers}, {"body", response.body}};
}

void serve() {
  const json first = hear();
  if (!first.is_object()) return;
  const auto seed = static_cast<std::uint64_t>(now().time_since_epoch().count());
  FakeCa ca(settings_from(first), SeededRandom(seed), now());
  ca.set_validator(validate);
  json anchors = json::array();
  for (const std::string& anchor : ca.trust_anchors()) {
    anchors.push_back(acme::base64url_encode(anchor));
  }
  tell({{"anchors", anchors}});
  for (json message = hear(); message.is_object(); message = hear()) {
    const auto response = ca.handle(request_from(message), now());
    tell(message_from(response ? *response : acme::HttpResponse{502, {}, {}}));
  }
}

}  // namespace
}  // namespace nolapse

int main() {
  nolapse::serve();
}
