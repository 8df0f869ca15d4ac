// Problem documents and what each means for the next attempt. [RFC 9457, RFC 8555 §6.7]
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/http_message.h"
#include "acme/json_read.h"
#include "acme/result.h"

namespace nolapse::acme {

struct Subproblem {
  std::string identifier;
  std::string type;
  std::string detail;
};

struct Problem {
  std::string type;  // without the "urn:ietf:params:acme:error:" prefix; may be empty
  std::string detail;
  std::string instance;
  std::string terms_of_service;  // of userActionRequired: where the new ones are
  int status = 0;
  std::vector<Subproblem> subproblems;
  std::vector<std::string> algorithms;  // of badSignatureAlgorithm
  std::string json;                     // the document as received (made valid UTF-8)
};

// From the `error` member of an order, authorization or challenge.
Problem parse_problem(const nlohmann::json& object);
// From an HTTP error. A body that is no problem document (HTML, empty) gives a Problem with the
// HTTP status and the first printable part of the body as detail.
Problem parse_problem(const HttpResponse& response);

// An error whose kind follows the table in RFC 8555 §6.7 and, for unknown types, the status.
// `context` names what was being done, e.g. "new order".
Error problem_error(const Problem& problem, std::string_view context);
// The same from a whole response, with its Retry-After.
Error response_error(const HttpResponse& response, std::string_view context, Time now);

}  // namespace nolapse::acme
