// What is somebody's first choice must work, what is only a second one should: errors and warnings.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "agent/core/self_test.h"

namespace nolapse {

inline FindingSeverity severity_of_choice(const std::vector<std::string>& choices,
                                          const std::string& one) {
  const bool first = !choices.empty() && choices.front() == one;
  return first ? FindingSeverity::error : FindingSeverity::warning;
}

// The certificates that this self-test is about and that may be issued by this CA.
inline std::vector<const CertificateSpec*> users_of(const CheckContext& context,
                                                    const CaConfig& ca) {
  std::vector<const CertificateSpec*> users;
  for (const CertificateSpec& spec : context.config.certificates) {
    const bool uses = std::find(spec.cas.begin(), spec.cas.end(), ca.name) != spec.cas.end();
    if (uses && context.statuses.contains(spec.name)) users.push_back(&spec);
  }
  return users;
}

// "a, b, c and 4 others"
inline std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " others";
  return text;
}

}  // namespace nolapse
