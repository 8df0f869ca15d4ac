// Asks the CAs' revocation lists whether they have revoked a certificate. What was read is kept for
// an hour, good or bad, so that certificates that name the same list share one request for it, and
// a list that cannot be had is not waited for by each of them.
//
// Lists come over plain http by design: they are signed, and https would need the very check that
// is under way. [RFC 5280 §4.2.1.13, §8]
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acme/revocation_list.h"
#include "agent/world/world.h"

namespace nolapse {

class RevocationCheck {
 public:
  static constexpr Duration list_kept = std::chrono::hours(1);
  // A certificate is asked for again when this has gone by, or the list has run out before that.
  static constexpr Duration ask_every = std::chrono::hours(20);
  static constexpr Duration ask_again_after_failure = std::chrono::hours(6);
  // Together, of all lists that are kept; 40 octets each.
  static constexpr std::size_t most_entries = 250'000;

  RevocationCheck(Clock& clock, Http& http) : clock_(clock), http_(http) {}

  struct Question {
    std::vector<std::string> urls;  // at least one; the next is tried where one fails
    std::string serial_number;      // as in acme::Certificate
    acme::Certificate issuer;       // with its DER
    std::string roots_file;         // both as in HttpOptions
    std::string proxy;
  };
  struct Answer {
    std::optional<acme::Revocation> revocation;  // nothing: not revoked
    Time ask_after{};
  };
  // Errors: those of Http::send, transient BAD_REVOCATION_LIST, each with the URL.
  void ask(Question question, Completion<Answer> done);

 private:
  struct Source {
    std::optional<Result<acme::RevocationList>> list;  // nothing: under way
    std::chrono::milliseconds read_at{};               // by uptime
    Time ask_after{};
    std::vector<std::function<void()>> waiting;
  };

  void fetch(const Question& question, const std::string& key);
  void received(const std::string& key, Result<acme::RevocationList> list);
  void answer(Question question, const std::string& key, const Completion<Answer>& done);

  Clock& clock_;
  Http& http_;
  std::map<std::string, Source> sources_;  // by URL and issuer: serial numbers are the issuer's
};

}  // namespace nolapse
