// The durable operations, one by one, as they run on a worker.
//
// Inside guarded directories (file_place.h) no component of a path may be a symbolic link, and what
// root creates belongs to their owner. Elsewhere directories are found as usual.
#pragma once

#include "agent/world/file_place.h"
#include "agent/world/world.h"

namespace nolapse {

class FileOperations {
 public:
  // `state_directory`, a normal path, is one of the guarded ones.
  FileOperations(std::string state_directory, GuardedDirectories guarded)
      : state_directory_(std::move(state_directory)), guarded_(std::move(guarded)) {}

  Result<void> run(const FileOperation& operation);

 private:
  Result<void> perform(const MakeDirectory& operation);
  Result<void> perform(const WriteFile& operation);
  Result<void> perform(const SetAccess& operation);
  Result<void> perform(const AppendFile& operation);
  Result<void> perform(const SyncFile& operation);
  Result<void> perform(const SyncDirectory& operation);
  Result<void> perform(const Rename& operation);
  Result<void> perform(const MakeSymlink& operation);
  Result<void> perform(const RemoveTree& operation);

  const std::string state_directory_;
  const GuardedDirectories guarded_;
};

}  // namespace nolapse
