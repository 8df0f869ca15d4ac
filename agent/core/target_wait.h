// A target that does not have the newest generation, and is not to have it yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/config.h"
#include "agent/core/store.h"

namespace nolapse {

struct TargetWait {
  enum class Reason {
    window,      // it opens at `until`
    taken_back,  // a person went back to an older one
  };
  std::string target;
  unsigned has = 0;         // 0: nothing of ours
  unsigned generation = 0;  // that stays away
  Reason reason = Reason::window;
  std::optional<Time> until = {};
  std::string window = {};  // "02:00-05:00"
};
const char* name_of(TargetWait::Reason reason);

// Of the certificate's targets, in its order. What failed does not wait: it failed.
std::vector<TargetWait> waiting_targets(const CertificateSpec& spec, const Config& config,
                                        const DeploymentRecords& records, unsigned newest,
                                        Time now);

}  // namespace nolapse
