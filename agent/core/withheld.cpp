#include "agent/core/withheld.h"

#include <algorithm>

#include "agent/core/deployment_rules.h"
#include "agent/core/schedule.h"

namespace nolapse {
namespace {

// Why what a target has is not enough any more; empty: it is. Nobody knows of what he may not read.
std::string why_over(unsigned number, const KnownGenerations& had,
                     const std::optional<SavedRevocation>& revocation, Time now) {
  if (number == 0) return "nothing else was there";
  const auto found = had.find(number);
  if (found == had.end()) return {};
  if (!found->second) {
    const Error& error = found->second.error();
    if (error.code == "PERMISSION_DENIED") return {};
    return "generation " + std::to_string(number) + " cannot be used: " + error.message;
  }
  const Generation& generation = *found->second;
  const std::string unfit = unfit_to_go_back_to(generation, revocation, now);
  if (!unfit.empty() || !little_is_left(&generation.leaf(), now)) return unfit;
  return "generation " + std::to_string(number) + " expires on " +
         acme::format_rfc3339(generation.leaf().not_after);
}

}  // namespace

KnownGenerations generations_had(const Store& store, const std::string& name,
                                 const DeploymentRecords& records, unsigned newest) {
  KnownGenerations had;
  for (const auto& [target, record] : records) {
    const unsigned number = generation_at(record);
    if (number == 0 || number == newest || had.contains(number)) continue;
    auto generation = store.load_whole_generation(name, number);
    // Whoever may not read keys still knows when it ends.
    const bool denied = !generation && generation.error().code == "PERMISSION_DENIED";
    had.emplace(number, denied ? store.load_generation(name, number) : std::move(generation));
  }
  return had;
}

std::vector<std::string> end_withdrawals(DeploymentRecords& records, const Generation& newest,
                                         const KnownGenerations& had,
                                         const std::optional<SavedRevocation>& revocation,
                                         Time now) {
  std::vector<std::string> reasons;
  if (!unfit_to_go_back_to(newest, revocation, now).empty()) return reasons;
  for (auto& [target, record] : records) {
    if (record.withdrawn != newest.number) continue;
    const std::string why = why_over(generation_at(record), had, revocation, now);
    if (why.empty()) continue;
    record.withdrawn = 0;
    if (std::find(reasons.begin(), reasons.end(), why) == reasons.end()) reasons.push_back(why);
  }
  return reasons;
}

std::vector<std::string> end_withdrawals(DeploymentRecords& records, const Store& store,
                                         const std::string& name, const Generation& newest,
                                         const std::optional<SavedRevocation>& revocation,
                                         Time now) {
  const bool any = std::any_of(records.begin(), records.end(), [&](const auto& entry) {
    return entry.second.withdrawn == newest.number;
  });
  if (!any) return {};
  return end_withdrawals(records, newest, generations_had(store, name, records, newest.number),
                         revocation, now);
}

unsigned lost_generation(std::optional<unsigned> live, unsigned newest) {
  return live && *live > newest ? *live : 0;
}

std::optional<EndsEarlier> first_to_end(const CertificateSpec& spec,
                                        const DeploymentRecords& records, const Generation& newest,
                                        const KnownGenerations& had, bool only_taken_back) {
  std::optional<EndsEarlier> first;
  for (const std::string& target : spec.deploy) {
    const auto record = records.find(target);
    if (record == records.end()) continue;
    const bool taken_back = record->second.withdrawn == newest.number;
    const auto has = had.find(generation_at(record->second));
    if (has == had.end() || !has->second || (only_taken_back && !taken_back)) continue;
    const Time end = (*has->second).leaf().not_after;
    if (end >= (first ? first->has : newest).leaf().not_after) continue;
    first = EndsEarlier{target, *has->second, taken_back};
  }
  return first;
}

std::string describe(const EndsEarlier& earlier, unsigned newest, Time now) {
  return "target " + earlier.target + " has generation " + std::to_string(earlier.has.number) +
         ": " + describe_expiry(earlier.has.leaf(), now) + ", and generation " +
         std::to_string(newest) +
         (earlier.taken_back ? " was taken back from it" : " does not get there");
}

int step_of(const EndsEarlier& earlier, const CertificateSpec& spec, Time now,
            const ExpiryDays& days) {
  const acme::Certificate& leaf = earlier.has.leaf();
  return expiry_step(leaf, renewal_point(leaf, spec.renew_before), now, days);
}

}  // namespace nolapse
