#include "acme/problem.h"

#include <doctest/doctest.h>

using namespace nolapse::acme;

namespace {

Error error_of(int status, const std::string& body, std::vector<HttpHeader> headers = {}) {
  const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
  return response_error({status, std::move(headers), body}, "new order", now);
}

std::string problem(const std::string& type) {
  return R"({"type":"urn:ietf:params:acme:error:)" + type + R"(","detail":"because"})";
}

}  // namespace

TEST_CASE("each problem type says what the scheduler may do next [RFC 8555 §6.7]") {
  struct Row {
    int status;
    const char* type;
    ErrorKind kind;
    const char* code;
  };
  const Row rows[] = {
      {400, "badNonce", ErrorKind::transient, "CA_BAD_NONCE"},
      {500, "serverInternal", ErrorKind::transient, "CA_SERVER_INTERNAL"},
      {429, "rateLimited", ErrorKind::deferred, "CA_RATE_LIMITED"},
      {400, "rateLimited", ErrorKind::deferred, "CA_RATE_LIMITED"},
      {400, "connection", ErrorKind::validation, "CA_CONNECTION"},
      {400, "dns", ErrorKind::validation, "CA_DNS"},
      {403, "caa", ErrorKind::input, "CA_CAA"},
      {400, "rejectedIdentifier", ErrorKind::input, "CA_REJECTED_IDENTIFIER"},
      {400, "badCSR", ErrorKind::input, "CA_BAD_CSR"},
      {400, "invalidProfile", ErrorKind::input, "CA_INVALID_PROFILE"},
      {403, "userActionRequired", ErrorKind::input, "CA_USER_ACTION_REQUIRED"},
      {403, "unauthorized", ErrorKind::input, "CA_UNAUTHORIZED"},
      {400, "malformed", ErrorKind::input, "CA_MALFORMED"},
      {404, "malformed", ErrorKind::resync, "CA_MALFORMED"},
      {409, "alreadyReplaced", ErrorKind::resync, "CA_ALREADY_REPLACED"},
      {403, "orderNotReady", ErrorKind::resync, "CA_ORDER_NOT_READY"},
      {400, "accountDoesNotExist", ErrorKind::resync, "CA_ACCOUNT_DOES_NOT_EXIST"},
      {400, "somethingNew", ErrorKind::input, "CA_SOMETHING_NEW"},
      {500, "somethingNew", ErrorKind::transient, "CA_SOMETHING_NEW"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type);
    const Error error = error_of(row.status, problem(row.type));
    CHECK(error.kind == row.kind);
    CHECK(error.code == row.code);
    CHECK(error.message == std::string("new order: because (") + row.type + ")");
  }
}

TEST_CASE("an error without a problem document is judged by its status") {
  CHECK(error_of(404, "").kind == ErrorKind::resync);
  CHECK(error_of(404, "").code == "CA_HTTP_404");
  CHECK(error_of(429, "slow down").kind == ErrorKind::deferred);
  CHECK(error_of(502, "<html>\n<b>Bad gateway</b>").kind == ErrorKind::transient);
  CHECK(error_of(502, "<html>\n<b>Bad gateway</b>").message ==
        "new order: <html> <b>Bad gateway</b>");
  CHECK(error_of(415, "").kind == ErrorKind::input);
}

TEST_CASE("each subproblem is shown with its identifier [RFC 8555 §6.7.1]") {
  const Error error =
      error_of(400,
               R"({"type":"urn:ietf:params:acme:error:compound","detail":"two names",
          "subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"no",
                          "identifier":{"type":"dns","value":"a.test"}},
                         {"type":"urn:ietf:params:acme:error:dns","detail":"gone",
                          "identifier":{"type":"dns","value":"b.test"}}]})");
  CHECK(error.message == "new order: two names; a.test: no; b.test: gone (compound)");
  CHECK(error.kind == ErrorKind::input);  // the worst of its parts
}

TEST_CASE("what helps a person is in the message") {
  CHECK(error_of(403, R"({"type":"urn:ietf:params:acme:error:userActionRequired",
                          "detail":"new terms","instance":"https://ca/agree"})")
            .message.find("visit https://ca/agree") != std::string::npos);
  // [RFC 8555 §7.3.3]
  CHECK(error_of(403, problem("userActionRequired"),
                 {{"Link", "<https://ca/terms-2>;rel=\"terms-of-service\""}})
            .message.find("the terms: https://ca/terms-2") != std::string::npos);
  CHECK(error_of(400, R"({"type":"urn:ietf:params:acme:error:badSignatureAlgorithm",
                          "detail":"no","algorithms":["RS256","ES384"]})")
            .message.find("RS256 ES384") != std::string::npos);
}

TEST_CASE("rate limits and outages carry the CA's Retry-After") {
  const Time now = *parse_rfc3339("2026-11-23T09:00:00Z");
  CHECK(error_of(429, problem("rateLimited"), {{"Retry-After", "7200"}}).retry_after ==
        now + std::chrono::hours(2));
  CHECK_FALSE(error_of(400, problem("malformed"), {{"Retry-After", "7200"}}).retry_after);
}

TEST_CASE("hostile problem documents stay one line of valid UTF-8 without control characters") {
  const Error error = error_of(
      400, "{\"type\":\"urn:ietf:params:acme:error:malformed\",\"detail\":\"a\\u001b[31m\\nb\"}");
  CHECK(error.message == "new order: a [31m b (malformed)");
  CHECK(error_of(400, std::string(5000, '\xff')).message.size() < 2000);
  CHECK(error_of(400, std::string(100000, '[')).kind == ErrorKind::input);
}
