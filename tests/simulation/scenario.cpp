#include "tests/simulation/scenario.h"

#include <array>
#include <utility>

namespace nolapse {

namespace {

constexpr std::array<std::pair<FaultClass, const char*>, 11> names = {{
    {FaultClass::ca_outage, "ca-outage"},
    {FaultClass::ca_errors, "ca-errors"},
    {FaultClass::ari, "ari"},
    {FaultClass::dns, "dns"},
    {FaultClass::disk, "disk"},
    {FaultClass::crash, "crash"},
    {FaultClass::hook, "hook"},
    {FaultClass::service, "service"},
    {FaultClass::clock, "clock"},
    {FaultClass::rate, "rate"},
    {FaultClass::revoke, "revoke"},
}};

}  // namespace

std::vector<FaultClass> all_fault_classes() {
  std::vector<FaultClass> all;
  for (const auto& [fault, name] : names) all.push_back(fault);
  return all;
}

const char* name_of(FaultClass fault) {
  return names[static_cast<std::size_t>(fault)].second;
}

std::optional<std::set<FaultClass>> parse_faults(const std::string& text) {
  std::set<FaultClass> faults;
  if (text == "none") return faults;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string word = text.substr(start, end - start);
    start = end + 1;
    bool known = word == "all";
    for (const auto& [fault, name] : names) {
      if (word != "all" && word != name) continue;
      faults.insert(fault);
      known = true;
    }
    if (!known) return {};
  }
  return faults;
}

std::string text_of(const std::set<FaultClass>& faults) {
  if (faults.empty()) return "none";
  if (faults.size() == names.size()) return "all";
  std::string text;
  for (const FaultClass fault : faults)
    text += (text.empty() ? "" : ",") + std::string(name_of(fault));
  return text;
}

std::string Scenario::command(const std::string& program) const {
  std::string text = program + " --seed " + std::to_string(seed) + " --certificates " +
                     std::to_string(certificates) + " --days " + std::to_string(days) +
                     " --faults " + text_of(faults);
  if (first_fault != 0) text += " --first-fault " + std::to_string(first_fault);
  if (last_fault != 0xffffffff) text += " --last-fault " + std::to_string(last_fault);
  return text;
}

}  // namespace nolapse
