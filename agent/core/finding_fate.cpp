#include "agent/core/finding_fate.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/core/self_test.h"

namespace nolapse {
namespace {

bool has_code(const Check& check, std::string_view code) {
  return std::any_of(check.codes.begin(), check.codes.end(),
                     [&](const char* each) { return code == each; });
}

// "mail.test:465" is a place, and each "mail.test:465 at 192.0.2.7" is within it.
bool is_within(const std::string& place, const std::string& whole) {
  return place.size() > whole.size() + 4 && place.starts_with(whole) && !whole.empty() &&
         place.compare(whole.size(), 4, " at ") == 0;
}

bool same_place(const Finding& one, const Finding& another) {
  return one.subject == another.subject || is_within(one.subject, another.subject) ||
         is_within(another.subject, one.subject);
}

// ---- became

// Ways in which one trouble goes on; of one certificate, at one place. What endpoints serve is one
// of them at a time.
using Codes = std::vector<std::string_view>;
const std::array courses = {
    Codes{"EXPIRY_NEAR", "EXPIRED", "SERVED_EXPIRED"},
    Codes{"EXPIRY_NEAR", "EXPIRED", "ORPHAN"},
    Codes{"RENEWAL_OVERDUE", "RENEWAL_FAILING", "CERTIFICATE_MISSING"},
    Codes{"NOT_SERVED", "SERVED_EXPIRED", "CHAIN_INVALID", "HANDSHAKE_FAILS"},
};

bool may_become(const Finding& before, const Finding& now) {
  if (now.severity <= FindingSeverity::unknown || before.code == now.code) return false;
  if (before.certificate != now.certificate || !same_place(before, now)) return false;
  const auto has = [](const Codes& course, const Finding& finding) {
    return std::find(course.begin(), course.end(), finding.code) != course.end();
  };
  return std::any_of(courses.begin(), courses.end(),
                     [&](const Codes& course) { return has(course, before) && has(course, now); });
}

// ---- unseen

// Where the first is found nobody can see the second.
struct Blindness {
  std::string_view code;
  Codes hidden;
  bool anywhere = false;  // and not only at the same place
};
const std::array blindnesses = {
    Blindness{"ENDPOINT_UNREACHABLE",
              {"EXPIRY_NEAR", "SERVED_EXPIRED", "CHAIN_INVALID", "NOT_SERVED", "HANDSHAKE_FAILS"}},
    Blindness{"HANDSHAKE_FAILS", {"EXPIRY_NEAR", "SERVED_EXPIRED", "CHAIN_INVALID", "NOT_SERVED"}},
    Blindness{"WATCHED_FILE_MISSING", {"EXPIRY_NEAR", "EXPIRED", "CHAIN_INVALID"}},
    Blindness{"WATCHED_FILE_MISSING", {"NOT_SERVED"}, true},
    Blindness{"CA_UNREACHABLE",
              {"CA_TLS", "CLOCK_WRONG", "TERMS_CHANGED", "ACCOUNT_INVALID", "EAB_MISSING",
               "PROFILE_NOT_OFFERED"}},
    Blindness{
        "CA_TLS",
        {"CLOCK_WRONG", "TERMS_CHANGED", "ACCOUNT_INVALID", "EAB_MISSING", "PROFILE_NOT_OFFERED"}},
    Blindness{"NAME_LOOKUP_FAILED", {"NAME_NOT_FOUND"}},
    Blindness{"CAA_LOOKUP_FAILED", {"CAA_FORBIDS_CA"}},
    Blindness{"HTTP01_UNREACHABLE", {"HTTP01_WRONG_ANSWER"}},
};

bool is_blind(const Finding& now, const Finding& before) {
  return std::any_of(blindnesses.begin(), blindnesses.end(), [&](const Blindness& each) {
    const auto& hidden = each.hidden;
    return now.code == each.code && now.certificate == before.certificate &&
           (each.anywhere || same_place(now, before)) &&
           std::find(hidden.begin(), hidden.end(), before.code) != hidden.end();
  });
}

// A check that could not tell, or did not end at all: of that one the subject is the code that
// stands for it. One about no certificate may speak of any.
bool cannot_tell(const Finding& now, const Finding& before) {
  if (now.severity != FindingSeverity::unknown) return false;
  if (!now.certificate.empty() && now.certificate != before.certificate) return false;
  const bool broke = now.code == "CHECK_TIMED_OUT" || now.code == "CHECK_FAILED";
  if (!broke && !now.subject.empty() && !same_place(now, before)) return false;
  const auto& checks = all_checks();
  return std::any_of(checks.begin(), checks.end(), [&](const Check& check) {
    if (!has_code(check, before.code)) return false;
    return broke ? now.subject == check.codes.front() : has_code(check, now.code);
  });
}

}  // namespace

bool has_left(const Finding& finding, const Config& config) {
  const std::string& name = finding.certificate;
  if (name.empty() || finding.code == "ORPHAN" || config.find_certificate(name)) return false;
  return std::none_of(config.watches.begin(), config.watches.end(),
                      [&](const WatchSpec& watch) { return watch.name == name; });
}

FindingFate fate_of(const Finding& before, const std::vector<Finding>& now,
                    const std::vector<Finding>& taken) {
  const Finding* successor = nullptr;
  for (const Finding& each : now) {
    if (!may_become(before, each)) continue;
    const bool is_taken = std::any_of(taken.begin(), taken.end(),
                                      [&](const Finding& other) { return other.same_as(each); });
    if (successor == nullptr || !is_taken) successor = &each;
    if (!is_taken) break;
  }
  if (successor != nullptr) return {Fate::became, successor};
  const bool unseen = std::any_of(now.begin(), now.end(), [&](const Finding& each) {
    return is_blind(each, before) || cannot_tell(each, before);
  });
  return {unseen ? Fate::unseen : Fate::over, nullptr};
}

}  // namespace nolapse
