// Where root lays out files for one run of a program, and takes them away afterwards.
//
//   <area>/order-<n>/<name>/<file>
//
// The area and order-<n> are root's, and others may only pass through them (0711); <name> is for
// the user of the program alone (0700). Nothing here is to outlive the run, so nothing is synced.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "acme/result.h"
#include "agent/world/unique_fd.h"

namespace nolapse {

struct StagedFile {
  std::string name;
  std::string content;
  unsigned mode = 0600;
};

// Gone with all that is in it when the object dies.
class StagedFolder {
 public:
  StagedFolder(int area, std::string entry, std::string path)
      : area_(area), entry_(std::move(entry)), path_(std::move(path)) {}
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  int area_;
  std::string entry_;  // in the area
  std::string path_;
};

class StagingArea {
 public:
  // Makes the folder where it is missing, and removes what a run that was killed left behind. Where
  // root runs it, the folder must be root's own, see root_owned.h. Errors as there, and as of
  // Files.
  static acme::Result<std::unique_ptr<StagingArea>> open(const std::string& path);

  // For the program of `user` (empty: of this process's). Outlives what it stages. May ask a
  // directory service for the user: call it on a worker. Errors as of Files; input NO_SUCH_USER.
  acme::Result<std::unique_ptr<StagedFolder>> stage(const std::string& name,
                                                    const std::vector<StagedFile>& files,
                                                    const std::string& user);

 private:
  StagingArea() = default;

  std::string path_;
  UniqueFd fd_;
  std::atomic<unsigned> last_ = 0;
};

}  // namespace nolapse
