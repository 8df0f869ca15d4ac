#include "acme/problem.h"

#include <array>

namespace nolapse::acme {
namespace {

using nlohmann::json;

constexpr std::string_view urn = "urn:ietf:params:acme:error:";

std::string short_type(std::string type) {
  if (type.rfind(urn, 0) == 0) return type.substr(urn.size());
  return type == "about:blank" ? std::string() : type;
}

struct TypeMeaning {
  std::string_view type;
  ErrorKind kind;
};

// [RFC 8555 §6.7] and what the CAs do with it. `compound` takes the meaning of its parts.
constexpr std::array<TypeMeaning, 26> meanings = {{
    {"badNonce", ErrorKind::transient},
    {"serverInternal", ErrorKind::transient},
    {"rateLimited", ErrorKind::deferred},
    {"connection", ErrorKind::validation},
    {"dns", ErrorKind::validation},
    {"tls", ErrorKind::validation},
    {"incorrectResponse", ErrorKind::validation},
    {"caa", ErrorKind::input},
    {"rejectedIdentifier", ErrorKind::input},
    {"unsupportedIdentifier", ErrorKind::input},
    {"badCSR", ErrorKind::input},
    {"badPublicKey", ErrorKind::input},
    {"badSignatureAlgorithm", ErrorKind::input},
    {"badRevocationReason", ErrorKind::input},
    {"invalidProfile", ErrorKind::input},
    {"externalAccountRequired", ErrorKind::input},
    {"userActionRequired", ErrorKind::input},
    {"invalidContact", ErrorKind::input},
    {"unsupportedContact", ErrorKind::input},
    {"unauthorized", ErrorKind::input},
    {"malformed", ErrorKind::input},
    {"alreadyReplaced", ErrorKind::resync},
    {"conflict", ErrorKind::resync},
    {"orderNotReady", ErrorKind::resync},
    {"accountDoesNotExist", ErrorKind::resync},
    {"alreadyRevoked", ErrorKind::input},
}};

ErrorKind kind_of(const Problem& problem) {
  for (const TypeMeaning& meaning : meanings) {
    if (meaning.type == problem.type) {
      // A resource that is gone is no fault of the operator's.
      const bool gone = problem.status == 404 || problem.status == 410;
      return gone && meaning.kind == ErrorKind::input ? ErrorKind::resync : meaning.kind;
    }
  }
  if (problem.status == 429) return ErrorKind::deferred;
  if (problem.status == 404 || problem.status == 410) return ErrorKind::resync;
  if (problem.status >= 400 && problem.status < 500) return ErrorKind::input;
  return ErrorKind::transient;
}

// "CA_RATE_LIMITED" from "rateLimited"; runs of capitals stay together (badCSR → CA_BAD_CSR).
std::string code_of(const Problem& problem) {
  if (problem.type.empty()) return "CA_HTTP_" + std::to_string(problem.status);
  std::string code = "CA_";
  char before = '_';
  for (const char c : problem.type) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool letter = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (upper && before >= 'a' && before <= 'z') code += '_';
    code += !letter ? '_' : upper ? c : static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
    before = c;
  }
  return code;
}

std::string advice(const Problem& problem) {
  if (problem.type == "userActionRequired") {
    std::string text;
    if (!problem.terms_of_service.empty()) text += "; the terms: " + problem.terms_of_service;
    if (!problem.instance.empty()) text += "; visit " + problem.instance;
    return text;
  }
  if (problem.type == "badSignatureAlgorithm" && !problem.algorithms.empty()) {
    std::string text = "; set account_key_type to one the CA takes:";
    for (const std::string& algorithm : problem.algorithms) text += " " + algorithm;
    return printable(text);
  }
  return {};
}

}  // namespace

Problem parse_problem(const json& object) {
  Problem problem;
  problem.type = printable(short_type(string_member(object, "type")), 100);
  problem.detail = printable(string_member(object, "detail"));
  problem.instance = printable(string_member(object, "instance"));
  problem.status = static_cast<int>(integer_member(object, "status").value_or(0) % 1000);
  for (const json& element : array_member(object, "subproblems")) {
    problem.subproblems.push_back(
        {printable(string_member(object_member(element, "identifier"), "value"), 300),
         printable(short_type(string_member(element, "type")), 100),
         printable(string_member(element, "detail"))});
    if (problem.subproblems.size() == 100) break;
  }
  problem.algorithms = string_list_member(object, "algorithms");
  problem.json = dump(object);
  return problem;
}

Problem parse_problem(const HttpResponse& response) {
  const json document = json::parse(response.body, nullptr, false);
  if (!document.is_object()) {
    Problem problem;
    problem.status = response.status;
    problem.detail = printable(response.body, 200);
    return problem;
  }
  Problem problem = parse_problem(document);
  problem.status = response.status;
  // [RFC 8555 §7.3.3]
  const auto terms = response.links("terms-of-service");
  if (!terms.empty()) problem.terms_of_service = printable(terms.front());
  return problem;
}

Error problem_error(const Problem& problem, std::string_view context) {
  std::string message(context);
  message += ": ";
  if (problem.detail.empty()) {
    message += problem.type.empty() ? "HTTP " + std::to_string(problem.status) : problem.type;
  } else {
    message += problem.detail;
  }
  for (const Subproblem& part : problem.subproblems) {
    message += "; " + part.identifier + ": " + part.detail;
  }
  if (!problem.type.empty()) message += " (" + problem.type + ")";
  message += advice(problem);

  ErrorKind kind = kind_of(problem);
  if (problem.type == "compound") {
    kind = ErrorKind::transient;
    for (const Subproblem& part : problem.subproblems) {
      Problem single;
      single.type = part.type;
      single.status = problem.status;
      kind = kind_of(single);
      if (kind == ErrorKind::input) break;
    }
  }
  return Error{kind, code_of(problem), printable(message), problem.json, {}};
}

Error response_error(const HttpResponse& response, std::string_view context, Time now) {
  Error error = problem_error(parse_problem(response), context);
  if (error.kind == ErrorKind::deferred || error.kind == ErrorKind::transient) {
    error.retry_after = response.retry_after(now);
  }
  return error;
}

}  // namespace nolapse::acme
