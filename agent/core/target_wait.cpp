#include "agent/core/target_wait.h"

#include "agent/core/deployment_rules.h"

namespace nolapse {

const char* name_of(TargetWait::Reason reason) {
  return reason == TargetWait::Reason::window ? "window" : "taken_back";
}

std::vector<TargetWait> waiting_targets(const CertificateSpec& spec, const Config& config,
                                        const DeploymentRecords& records, unsigned newest,
                                        Time now) {
  std::vector<TargetWait> waits;
  for (const std::string& name : spec.deploy) {
    const auto found = records.find(name);
    const auto target = config.targets.find(name);
    if (found == records.end() || target == config.targets.end()) continue;
    const DeploymentRecord& record = found->second;
    TargetWait wait{name, generation_at(record), newest};
    if (wait.has == newest) continue;
    if (record.withdrawn == newest) {
      wait.reason = TargetWait::Reason::taken_back;
      waits.push_back(std::move(wait));
    } else if (target->second.window && record.failures == 0 && record.next_attempt &&
               now < *record.next_attempt) {
      wait.until = record.next_attempt;
      wait.window = format_window(*target->second.window);
      waits.push_back(std::move(wait));
    }
  }
  return waits;
}

}  // namespace nolapse
