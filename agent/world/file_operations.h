// The durable operations, one by one, as they run on a worker.
//
// Inside the state directory no component of a path may be a symbolic link: root works there
// beside an unprivileged daemon, and a link planted by that daemon must not lead root's writes
// elsewhere. Outside of it (a webroot) directories are found as usual.
#pragma once

#include <optional>

#include "agent/world/world.h"

namespace nolapse {

struct FileOwner {
  unsigned user = 0;
  unsigned group = 0;
};

// Whom a new file at `path` is to be given to; nothing: it stays with who creates it. Only root
// gives away, and only what lies inside a state directory of another user.
std::optional<FileOwner> new_owner(const std::string& path, const std::string& state_directory);

class FileOperations {
 public:
  explicit FileOperations(const std::string& state_directory);

  Result<void> run(const FileOperation& operation);

 private:
  Result<void> perform(const MakeDirectory& operation);
  Result<void> perform(const WriteFile& operation);
  Result<void> perform(const SyncFile& operation);
  Result<void> perform(const SyncDirectory& operation);
  Result<void> perform(const Rename& operation);
  Result<void> perform(const MakeSymlink& operation);
  Result<void> perform(const RemoveTree& operation);

  std::string state_directory_;
};

}  // namespace nolapse
