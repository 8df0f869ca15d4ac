#include "agent/solvers/provider_http.h"

#include <algorithm>

#include "acme/json_read.h"

namespace nolapse {
namespace {

constexpr std::size_t kept_words = 300;
constexpr int most_tries = 5;
constexpr Duration longest_pause = std::chrono::minutes(1);

// Where services put what a person should read.
std::string words_of(const std::string& body) {
  const std::size_t begin = body.find("<Message>");  // AWS
  if (begin != std::string::npos) {
    return body.substr(begin + 9, body.find('<', begin + 9) - begin - 9);
  }
  const auto document = acme::parse_object(body, "the reply");
  if (!document) return body;
  const nlohmann::json& errors = acme::array_member(*document, "errors");
  for (const nlohmann::json* place :
       {&*document, &acme::object_member(*document, "error"),
        errors.is_array() && !errors.empty() ? &errors.front() : &*document}) {
    for (const char* key : {"message", "detail", "error"}) {
      const std::string words = acme::string_member(*place, key);
      if (!words.empty()) return words;
    }
  }
  return body;
}

std::string name_of(const acme::HttpRequest& request) {
  return request.method + " " + request.url.substr(0, request.url.find('?'));
}

// The request was not carried out, and the service would have it later: 429 [RFC 6585 §4], 503 with
// a time to wait [RFC 9110 §15.6.4], and what AWS says by 400.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
bool wants_patience(const acme::HttpResponse& response) {
  const auto says = [&response](const char* code) {
    return response.body.find("<Code>" + std::string(code) + "</Code>") != std::string::npos;
  };
  return response.status == 429 ||
         (response.status == 503 && !response.header("Retry-After").empty()) ||
         (response.status == 400 && (says("Throttling") || says("PriorRequestNotComplete")));
}

struct Sending {
  World world;
  acme::HttpRequest request;
  HttpOptions options;
  Completion<acme::HttpResponse> done;
  int tries = 0;
};

void send(const std::shared_ptr<Sending>& sending) {
  ++sending->tries;
  sending->world.http.send(
      sending->request, sending->options, [sending](Result<acme::HttpResponse> response) {
        if (!response) {
          return sending->done(fail(ErrorKind::transient, "DNS_PROVIDER_FAILED",
                                    name_of(sending->request) + ": " + response.error().message));
        }
        const Time now = sending->world.clock.now();
        const Duration pause =
            response->retry_after(now).value_or(now + std::chrono::seconds(1 << sending->tries)) -
            now;
        if (!wants_patience(*response) || sending->tries == most_tries || pause > longest_pause) {
          return sending->done(std::move(response));
        }
        sending->world.clock.start_timer(std::max(pause, Duration{std::chrono::seconds(1)}),
                                         [sending] { send(sending); });
      });
}

}  // namespace

Result<Secrets> read_secrets(const ChallengeConfig& challenge, World world) {
  Secrets secrets;
  for (const auto& [key, path] : challenge.settings) {
    if (!key.ends_with("_file")) continue;
    const auto content = world.files.read(path);
    if (!content) return fail(content.error());
    const std::size_t begin = std::min(content->find_first_not_of(" \t\r\n"), content->size());
    std::string secret = content->substr(begin);
    secret.erase(secret.find_last_not_of(" \t\r\n") + 1);
    // What stands in a header field is one line.
    if (secret.empty() || std::any_of(secret.begin(), secret.end(),
                                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; })) {
      return fail(ErrorKind::input, "BAD_SECRET",
                  path + ": holds no secret; write it there, alone and on one line");
    }
    secrets[key] = std::move(secret);
  }
  return secrets;
}

void send_to_provider(const ChallengeConfig& challenge, World world, acme::HttpRequest request,
                      Completion<acme::HttpResponse> done) {
  HttpOptions options;
  options.roots_file = setting_of(challenge, "roots");
  options.proxy = setting_of(challenge, "proxy");
  options.plain_http = request.url.starts_with("http://");  // the configuration knows where
  send(std::make_shared<Sending>(
      Sending{world, std::move(request), std::move(options), std::move(done)}));
}

Error refusal(const acme::HttpRequest& request, const acme::HttpResponse& response,
              const Secrets& secrets) {
  std::vector<std::string> texts;
  for (const auto& [key, secret] : secrets) texts.push_back(secret);
  const std::string words =
      acme::printable(without_secrets(words_of(response.body), texts), kept_words);
  Error error;
  // 408 and 429 are the client errors that pass. [RFC 9110 §15.5.9, RFC 6585 §4]
  const bool passes = response.status < 400 || response.status >= 500 || response.status == 408 ||
                      wants_patience(response);
  error.kind = passes ? ErrorKind::transient : ErrorKind::input;
  error.code = passes ? "DNS_PROVIDER_FAILED" : "DNS_PROVIDER_REFUSED";
  error.message = name_of(request) + ": status " + std::to_string(response.status) +
                  (words.empty() ? "" : ": " + words);
  return error;
}

Error unexpected_reply(const acme::HttpRequest& request, const std::string& why) {
  return {ErrorKind::transient, "DNS_PROVIDER_FAILED", name_of(request) + ": " + why, {}, {}};
}

void complete_later(World world, Completion<void> done, Result<void> outcome) {
  world.clock.start_timer(
      Duration{0}, [done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
}

}  // namespace nolapse
