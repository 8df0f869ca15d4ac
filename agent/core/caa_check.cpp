#include "agent/core/caa_check.h"

#include <map>
#include <memory>
#include <optional>

namespace nolapse {
namespace {

struct Check {
  std::vector<acme::Identifier> identifiers;
  acme::CaaRequest request;
  std::map<std::string, std::optional<Result<DnsAnswer>>> answers;  // by name
  std::size_t open = 0;
  std::function<void(std::vector<CaaRefusal>)> done;
};

// No text: no refusal.
CaaRefusal refusal_of(const Check& check, const acme::Identifier& identifier) {
  CaaRefusal refused{identifier, {}};
  for (const std::string& name : acme::caa_names(identifier)) {
    const Result<DnsAnswer>& answer = *check.answers.at(name);
    if (!answer) {
      refused.text =
          identifier.value +
          ": its CAA records cannot be looked up, and a CA refuses then: " + answer.error().message;
      refused.looked_up = false;
      return refused;
    }
    if (answer->values.empty()) continue;
    std::vector<acme::CaaRecord> records;
    for (const std::string& value : answer->values) {
      records.push_back(acme::parse_caa_record(value));
    }
    const bool wildcard = identifier.value.rfind("*.", 0) == 0;
    const std::string refusal = acme::caa_refusal(records, wildcard, check.request);
    if (!refusal.empty()) refused.text = identifier.value + ": CAA at " + name + ": " + refusal;
    return refused;
  }
  return refused;
}

void conclude(const Check& check) {
  std::vector<CaaRefusal> refusals;
  for (const acme::Identifier& identifier : check.identifiers) {
    CaaRefusal refusal = refusal_of(check, identifier);
    if (!refusal.text.empty()) refusals.push_back(std::move(refusal));
  }
  check.done(std::move(refusals));
}

}  // namespace

void check_caa(World world, std::vector<acme::Identifier> identifiers, acme::CaaRequest request,
               std::function<void(std::vector<CaaRefusal>)> done) {
  auto check = std::make_shared<Check>();
  check->identifiers = std::move(identifiers);
  check->request = std::move(request);
  check->done = std::move(done);
  if (!check->request.ca_identities.empty()) {
    for (const acme::Identifier& identifier : check->identifiers) {
      for (const std::string& name : acme::caa_names(identifier)) check->answers[name];
    }
  }
  if (check->answers.empty()) {
    world.clock.start_timer(Duration{0}, [check] { check->done({}); });
    return;
  }
  check->open = check->answers.size();
  for (auto& [name, slot] : check->answers) {
    world.dns.ask({name, DnsType::caa}, [check, &answer = slot](Result<DnsAnswer> got) {
      answer = std::move(got);
      if (--check->open == 0) conclude(*check);
    });
  }
}

}  // namespace nolapse
