// Plays the CA's part of one issuance by hand: each test says what is answered, one step at a time.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "acme/issuance.h"

namespace nolapse::acme {

using nlohmann::json;

class IssuanceScript {
 public:
  explicit IssuanceScript(IssuanceRequest request = default_request(), IssuanceState state = {})
      : issuance(std::move(request), std::move(state)) {
    effect = issuance.step(event::Start{}, now);
  }

  static IssuanceRequest default_request() {
    IssuanceRequest request;
    request.identifiers = {{"dns", "shop.test"}};
    request.challenge_type = "http-01";
    request.thumbprint = "thumb";
    request.signing_request = "csr";
    return request;
  }

  // What was asked of the CA last; fails the test when the last effect was something else.
  const Call& call() const {
    REQUIRE(std::holds_alternative<effect::Send>(effect));
    return std::get<effect::Send>(effect).call;
  }
  template <class T>
  const T& as() const {
    REQUIRE(std::holds_alternative<T>(effect));
    return std::get<T>(effect);
  }

  void reply(const json& body, std::vector<HttpHeader> headers = {}) {
    reply_text(body.dump(), std::move(headers));
  }
  void reply_text(std::string body, std::vector<HttpHeader> headers = {}) {
    HttpResponse response{200, std::move(headers), std::move(body)};
    effect = issuance.step(event::Replied{std::move(response)}, now);
  }
  void refuse(ErrorKind kind, const std::string& code, const std::string& problem = "{}",
              std::optional<Time> retry_after = {}) {
    effect =
        issuance.step(event::Replied{fail(Error{kind, code, code, problem, retry_after})}, now);
  }
  // No answer at all.
  void lose() { refuse(ErrorKind::transient, "CA_UNREACHABLE", ""); }
  void wait() {
    now += as<effect::Wait>().duration;
    effect = issuance.step(event::TimerFired{}, now);
  }
  void presented(Result<void> outcome = {}) {
    effect = issuance.step(event::Presented{std::move(outcome)}, now);
  }
  void cleaned_up() { effect = issuance.step(event::CleanedUp{}, now); }

  static json order(const std::string& status) {
    json document{{"status", status},
                  {"identifiers", {{{"type", "dns"}, {"value", "shop.test"}}}},
                  {"authorizations", {"https://ca/authz/1"}},
                  {"finalize", "https://ca/finalize/1"}};
    if (status == "valid") document["certificate"] = "https://ca/certificate/1";
    return document;
  }
  static json authorization(const std::string& status, const json& error = nullptr) {
    json challenge{{"type", "http-01"},
                   {"url", "https://ca/challenge/1"},
                   {"status", status == "pending" ? "pending" : status},
                   {"token", "token1"}};
    if (!error.is_null()) challenge["error"] = error;
    return {
        {"status", status},
        {"identifier", {{"type", "dns"}, {"value", "shop.test"}}},
        {"challenges",
         {{{"type", "dns-persist-01"}, {"url", "https://ca/challenge/2"}, {"status", "pending"}},
          challenge}}};
  }
  static std::vector<HttpHeader> location() { return {{"Location", "https://ca/order/1"}}; }

  // The usual way to a given point.
  void go_to_poll() {
    reply(order("pending"), location());
    reply(authorization("pending"));
    presented();
    reply(json::object());
    wait();
  }
  void go_to_finalize() {
    go_to_poll();
    reply(authorization("valid"));
    cleaned_up();
    reply(order("ready"));
  }

  Issuance issuance;
  Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
  IssuanceEffect effect;
};

}  // namespace nolapse::acme
