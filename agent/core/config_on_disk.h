// The configuration as it stands on the disk now, for the self-tests: read anew only when something
// that was looked at for it has changed, for a thousand certificates take a tenth of a second.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/config.h"

namespace nolapse {

class ConfigOnDisk {
 public:
  // `files` outlives it.
  ConfigOnDisk(const Files& files, std::string path, std::string state_directory);
  ~ConfigOnDisk();

  const std::vector<ConfigProblem>& problems();
  // Does it rest on what this user may not look at or run, so that another one may see none?
  bool is_denied(const ConfigProblem& problem) const;
  // Of all files, the included ones too.
  const std::string& digest();

 private:
  class Witness;
  void look();

  const Files& files_;
  const std::string path_;
  const std::string state_directory_;
  std::unique_ptr<Witness> witness_;  // of the last look; none: there was none
  std::vector<ConfigProblem> problems_;
  std::string digest_;
};

}  // namespace nolapse
