// Errors are values. ErrorKind answers one question, what may the scheduler do next; no kind is
// "permanent", because every error ends in a later attempt and, if it lasts, in an alert.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "acme/time.h"

namespace nolapse::acme {

enum class ErrorKind {
  transient,   // try again with back-off: network, 5xx, a slow peer
  deferred,    // try again, but not before `retry_after`: rate limit, a CA that still works on it
  validation,  // the CA could not see our proof; costs a failed-authorization slot
  input,       // a person must change something: slow down at once and alert at once
  resync,      // the CA knows less, or other things, than we remember: forget it and ask anew
  local,       // this machine refused: disk, permission, port, missing program
  held,        // another process holds the lock
};

struct Error {
  ErrorKind kind = ErrorKind::local;
  std::string code;     // stable upper-case word, e.g. "CA_UNREACHABLE"
  std::string message;  // one line: what, where, why, what to do
  std::string problem;  // the CA's problem document as JSON text; empty when there was none
  std::optional<Time> retry_after;  // do not try before this instant
};

// A value or an Error. tl::expected 1.0.0 is not nodiscard, hence the derived class.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

inline tl::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message) {
  return fail(Error{kind, std::move(code), std::move(message), {}, {}});
}

// The word that is written to state files, logs and JSON.
inline const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::transient:
      return "transient";
    case ErrorKind::deferred:
      return "deferred";
    case ErrorKind::validation:
      return "validation";
    case ErrorKind::input:
      return "input";
    case ErrorKind::resync:
      return "resync";
    case ErrorKind::local:
      return "local";
    case ErrorKind::held:
      return "held";
  }
  return "local";
}

}  // namespace nolapse::acme
